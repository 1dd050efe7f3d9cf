"""Commands on files: plot, convert, recover."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnsim.cli.output import Json, Overwrite, print_json

Recording = Annotated[Path, typer.Argument(metavar="OUT.h5", help="A recording.", show_default=False)]
Drawing = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="png, svg, pdf or html; default: OUT.png.", show_default=False),
]
Dt = Annotated[
    str | None, typer.Option("--dt", metavar="T", help="NIR: the step, such as '0.1 ms'.", show_default=False)
]
Reading = Annotated[
    str | None,
    typer.Option("--reading", metavar="NAME", show_default=False,
                 help="NIR: a spike is an impulse (default), or 1 for a step: pulse (exact) or euler."),
]
Reset = Annotated[
    str | None,
    typer.Option("--reset", metavar="NAME", show_default=False, help="NIR: set (default) or subtract the threshold."),
]
Compress = Annotated[bool, typer.Option("--compress", help="gzip; libsonata cannot read that.")]


def plot(recording: Recording, out: Drawing = None) -> None:
    """Raster, rates and traces of a recording.

    An html file is interactive and self-contained.
    """
    import snnsim

    target = out or recording.with_suffix(".png")
    snnsim.open(recording).plot(target)
    print(target)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="OUT", help="A name ending in / is a folder.", show_default=False)],
    compress: Compress = False,
    overwrite: Overwrite = False,
    dt: Dt = None,
    reading: Reading = None,
    reset: Reset = None,
) -> None:
    """Convert a network or a recording.

    Networks: from YAML to canonical YAML, to NIR and back; from files of lava-dl (.net) to YAML. Recordings: from HDF5,
    a folder of it, csv or npz to one another and to text that Neo reads.
    """
    from snnsim.convert import convert as write

    print(write(source, target, compress, overwrite, dt=dt, reading=reading, reset=reset))


def recover(recording: Recording, as_json: Json = False) -> None:
    """Make the file of a killed run whole."""
    from snnsim.recording import recover as make_whole

    found = make_whole(recording)
    if as_json:
        print_json(found._asdict())
    else:
        print(found)
