"""Runs a fixed-point network, the file graph.h5, with Lava 0.10; needs lava-nc, numpy, scipy and h5py, and not snnsim.

    python run.py --steps 1000 -o out.h5 [--arrivals arrivals.h5]     graph.h5 and arrivals.h5 lie beside the script
    python run.py serve FOLDER                                        one JSON object per line in, one per line out

The result holds /spikes/{step, unit, payload} (units counted over all groups), /traces/K [rows, units],
/states/GROUP/STATE after the last step, and /weights/K/{weight, tag_1, tag_2} of connections that learn. Steps count
from 1. How it is done is in the folder lava_runner, which must lie beside this script. Linux and macOS, as Lava itself.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np
from lava_runner.arrivals import read_arrivals
from lava_runner.errors import GraphError, LavaError
from lava_runner.graph import read_graph
from lava_runner.manifest import check_bundle
from lava_runner.results import save
from lava_runner.serving import serve
from lava_runner.session import Session

HERE = Path(__file__).resolve().parent


def main(words: list[str]) -> int:
    """Do what the command line asks; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if words[:1] == ["serve"]:
        return serve(Path(words[1]))
    try:
        run(command_line().parse_args(words))
        return 0
    except (GraphError, LavaError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run the network in graph.h5 with Lava.")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="HDF5 file with spikes, traces and states")
    parser.add_argument("--arrivals", type=Path, help="what the host adds; else arrivals.h5 beside this script")
    parser.add_argument("--graph", type=Path, help="else graph.h5 beside this script")
    return parser


def run(args: argparse.Namespace) -> None:
    """Run a graph from its beginning, with the arrivals of these steps."""
    if args.graph is None:
        check_bundle(HERE)
    graph = read_graph(args.graph or HERE / "graph.h5")
    arrivals = given_arrivals(args)
    with Session(graph) as session:
        session.run(args.steps, arrivals)
        save(session.network, args.output)


def given_arrivals(args: argparse.Namespace) -> dict[str, np.ndarray] | None:
    path = args.arrivals or HERE / "arrivals.h5"
    if not (args.arrivals or path.exists()):
        return None
    arrivals = read_arrivals(path)
    return {name: values[arrivals["step"] <= args.steps] for name, values in arrivals.items()}


def leave(code: int) -> None:
    """End without the destructors of Lava, which would wait for processes that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    code = 1
    try:
        code = main(sys.argv[1:])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        leave(code)
