"""``python -m snnsim``: the command line without the console script."""

from __future__ import annotations

import sys

from snnsim.cli import main

sys.exit(main())
