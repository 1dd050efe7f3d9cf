"""``snnsim demo``: the first five minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snnsim.cli.output import Backend, Quiet, Threads, as_options
from snnsim.cli.run import print_summary, simulate

NEXT = """
The raster is in {raster}. To go on, run the network with another seed and record it, look around in the recording,
see which models there are, and check a changed copy of the network:

  snnsim run {config} --seed 2 -o out.h5
  snnsim plot out.h5 -o out.html
  snnsim models
  cp {config} mine.yaml; snnsim validate mine.yaml"""

Raster = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="png, svg, pdf or html.")]


def demo(
    raster: Raster = Path("demo.png"),
    backend: Backend = "auto",
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """A balanced network, its raster, what to try next."""
    import snnsim
    from snnsim import configs
    from snnsim.plot import check_drawing

    check_drawing(raster)
    config = configs.path("demo")
    with as_options():
        result = simulate(snnsim.load(config), quiet, backend=backend, threads=threads)
    print_summary(result.summary)
    result.plot(raster)
    print(NEXT.format(raster=raster, config=config))
