"""Numba's machine code on disk, believed only where it is whole."""

from __future__ import annotations

import hashlib
from typing import Any

from numba.core import serialize
from numba.core.caching import CompileResultCacheImpl, FunctionCache


class _Checked(CompileResultCacheImpl):
    """With a digest: LLVM would end the process at damaged machine code, or run it."""

    def reduce(self, cres: Any) -> tuple[bytes, bytes]:
        """What goes to the disk."""
        data = serialize.dumps(super().reduce(cres))
        return hashlib.sha256(data).digest(), data

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """The opposite; ``ValueError`` where it is damaged."""
        digest, data = payload
        if hashlib.sha256(data).digest() != digest:
            raise ValueError("damaged machine code")
        return super().rebuild(target_context, serialize.loads(data))


class CheckedCache(FunctionCache):
    """Damaged machine code, or a damaged list of it, counts as not there: it is compiled anew and written over."""

    _impl_class = _Checked

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """A compiled function; None where there is none on disk that is whole."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:   # Numba unpickles, and damaged bytes raise whatever they happen to say
            self.flush()    # what is compiled is added to the list, which must be readable for that
            return None
