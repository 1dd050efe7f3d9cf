"""Networks as YAML that can be taken elsewhere: the files that they name go with them, under names of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snnsim.canonical import as_yaml, to_data
from snnsim.network import Network


class Luggage:
    """Collects files. files: name in the new place -> where it is now."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}

    def pack(self, net: Network) -> str:
        """The canonical YAML of a network, which names its files as they will be called."""
        return as_yaml(self._packed(to_data(net), net.base_dir or Path()))

    def _packed(self, value: Any, folder: Path) -> Any:
        if isinstance(value, list):
            return [self._packed(item, folder) for item in value]
        if not isinstance(value, Mapping):
            return value
        return {key: self._name(folder / item) if key == "file" and isinstance(item, str) and (folder / item).is_file()
                else self._packed(item, folder) for key, item in value.items()}

    def _name(self, path: Path) -> str:
        known = {there.resolve(): name for name, there in self.files.items()}
        return known.get(path.resolve()) or self._added(path)

    def _added(self, path: Path) -> str:
        ending = path.suffix.lower()
        name = f"file-{len(self.files) + 1}{ending if ending.isascii() and ending[1:].isalnum() else ''}"
        self.files[name] = path
        return name
