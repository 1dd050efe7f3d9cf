"""Requests on standard input, one JSON object per line, each answered by one on standard output."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .arrivals import read_arrivals
from .errors import GraphError, HungUp, LavaError, last_line
from .graph import read_graph
from .results import save
from .session import Session

Answer = Callable[[dict[str, Any]], None]


def serve(folder: Path) -> int:
    """Answer requests about the graph in a folder until they end, or one asks to stop; the exit code."""
    answer = answers()
    try:
        with Session(read_graph(folder / "graph.h5"), listening=True) as session:
            answer({"ready": True, "lava": importlib.metadata.version("lava-nc"), "processes": len(session.children)})
            stopped = follow(session, folder, answer)
        if stopped:
            answer({"stopped": True})
        return 0
    except HungUp:
        return 1
    except Exception as error:
        traceback.print_exc()
        answer(failure(error))
        return 1


def answers() -> Answer:
    """Write to what standard output is now; from here on it is standard error, because Lava and its processes print."""
    file = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(content), file=file, flush=True)

    return answer


def follow(session: Session, folder: Path, answer: Answer) -> bool:
    """Do what each line asks; true where the last one asked to stop."""
    for line in sys.stdin:
        request = json.loads(line)
        if "stop" in request:
            return True
        answer(obey(session, folder, request))
    return False


def obey(session: Session, folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Run, and write the result. What is wrong with a request is answered, and the network stays as it is."""
    try:
        arrivals = read_arrivals(folder / request["arrivals"]) if request.get("arrivals") else None
        session.run(int(request["run"]), arrivals)
        save(session.network, folder / request["out"])
        return {"done": int(request["run"])}
    except GraphError as error:
        return failure(error)


def failure(error: Exception) -> dict[str, Any]:
    text = str(error) if isinstance(error, (GraphError, LavaError)) else last_line(error)
    return {"error": text, "kind": "graph" if isinstance(error, GraphError) else "lava"}
