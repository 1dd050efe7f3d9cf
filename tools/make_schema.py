"""Write the JSON Schema of the file format to snnsim/schema.json, from the classes of snnsim.schema."""

from __future__ import annotations

import json
from pathlib import Path

import snnsim.schema


def text() -> str:
    """The schema as it is shipped."""
    return json.dumps(snnsim.schema.json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(snnsim.schema.__file__).with_suffix(".json").write_text(text(), encoding="utf-8")
