"""What turns a network into a running program, one module per target."""

from __future__ import annotations

# With the repository root on sys.path `import backends` would make a second copy of every class in here.
if __name__ != "snnsim.backends":
    raise ImportError(
        f"this package is called snnsim.backends, and was imported as {__name__}: "
        "install the project (`pip install -e .`) and write `import snnsim.backends`"
    )
