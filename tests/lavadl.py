"""Network files as lava-dl writes them, small ones for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

CUBA: dict[str, Any] = {"type": b"CUBA", "iDecay": 4096, "vDecay": 400, "vThMant": 10, "refDelay": 1, "gradedSpike": False}
Layer = dict[str, Any]


def dense(weight: Any, neuron: dict[str, Any] | None = None, **more: Any) -> Layer:
    """A dense layer with weights [out, in]."""
    weight = np.asarray(weight, np.float32)
    return {"type": [b"dense"], "shape": [len(weight)], "weight": weight, "neuron": {**CUBA, **(neuron or {})}, **more}


def conv(weight: Any, shape: Any, neuron: dict[str, Any] | None = None, **more: Any) -> Layer:
    """A convolution with weights [filters, channels, y, x]; `shape`: of its output, channels first."""
    weight = np.asarray(weight, np.float32)[..., None]
    settings = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, **more}
    return {"type": [b"conv"], "shape": shape, "weight": weight, "neuron": {**CUBA, **(neuron or {})}, **settings}


def write(path: Path, *layers: Layer) -> Path:
    """A file with these layers."""
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(layers):
            _fill(file.create_group(f"layer/{number}"), layer)
    return path


def _fill(group: h5py.Group, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _fill(group.create_group(name), value)
        else:
            group[name] = value
