"""Networks of lava-dl: what its netx makes Lava processes of becomes a network in whole numbers here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snnsim.deploy.netx_file import Layer, read_layers
from snnsim.errors import InputError, Problem, Problems, unknown
from snnsim.network import Network
from snnsim.nir.arrays import Arrays, place_for
from snnsim.nir.maps import Map, Window, convolution

BIAS_EXP = 6
MIXED = (-256, 254)    # what netx clips mixed weights to
SEMANTICS = ("lava010", "loihi1")


def read(
    path: str | Path, dt: Any = "1 ms", semantics: str = "lava010", reset_interval: int | None = None,
    reset_offset: int = 0, input_shape: tuple[int, int, int] | None = None, arrays: str | Path | None = None,
) -> Network:
    """The network that a lava-dl file (``.net``, maybe packed with xz) describes: dense and convolutional CUBA layers.

    Its input is the population ``input`` of ``relay`` (send it spikes: ``net.input("data", "spike_times", to="input",
    ...)``), its layers are the populations ``layer0``, ``layer1``, ...; units of layers with space are counted with
    channels slowest, then y, then x, as PyTorch does. The spikes of the last one are recorded.

    semantics: ``lava010`` for loihi_lif, as netx makes it; ``loihi1`` for loihi1_lif, which has refractory delays.
    reset_interval, reset_offset: those of netx, for loihi_lif_reset: each layer is reset a step after the one before
        it. input_shape: x, y and channels, where a file that begins with a convolution does not say them.
    arrays: an npz file to write the weights to, as of ``snnsim.nir.read``.

    Raises ``InputError`` for a file that is not sound, and naming what of it is not supported.
    """
    path = Path(path)
    if semantics not in SEMANTICS:
        raise InputError(unknown("semantics", semantics, SEMANTICS))
    if reset_interval is not None and semantics != "lava010":
        raise InputError(Problem("reset_interval", "is for lava010: loihi1_lif has no reset"))
    with _of(path):
        layers = read_layers(path)
        place = place_for(sum(layer.weight.size for layer in layers if layer.weight is not None),
                          None if arrays is None else Path(arrays))
        try:
            maker = _Maker(path, dt, semantics, (reset_interval, reset_offset), place)
            return place.bound_to(maker.network(layers, input_shape))
        except InputError:
            place.discard()
            raise


@contextmanager
def _of(path: Path) -> Iterator[None]:
    """Faults are those of this file."""
    try:
        yield
    except InputError as error:
        raise InputError([replace(p, file=p.file or str(path)) for p in error.problems]) from error.__cause__


class _Maker:
    """Makes the network of one file."""

    def __init__(self, path: Path, dt: Any, semantics: str, reset: tuple[int | None, int], arrays: Arrays) -> None:
        self.net = Network(dt=dt, name=path.name.partition(".")[0][:200] or "netx", base_dir=arrays.base_dir)
        self.semantics, (self.interval, self.offset), self.arrays = semantics, reset, arrays
        self.calls: list[Any] = []
        self.made = 0

    def network(self, layers: list[Layer], input_shape: tuple[int, int, int] | None) -> Network:
        shape = tuple(input_shape[::-1]) if input_shape is not None else ()
        before, problems = "input", Problems()
        for layer in layers:
            with problems.at(f"layer {layer.number}"):
                if layer.kind == "input":
                    shape = layer.shape or shape
                elif layer.kind != "flatten":   # which changes no order of units here
                    shape, before = self._layer(layer, shape, before)
            problems.check()
        if not self.made:
            raise InputError("expected at least one layer with neurons, found none")
        self.arrays.save()   # before the network is made that reads them
        for call in self.calls:
            call()
        self.net.record(spikes=[before])
        return self.net

    def _layer(self, layer: Layer, shape: tuple[int, ...], before: str) -> tuple[tuple[int, ...], str]:
        """Plan the population of a layer and what leads to it; its shape and name."""
        name = f"layer{self.made}"
        found, weight, sources = self._synapses(layer, shape)
        if not self.made:
            self.calls.append(lambda: self.net.population("input", sources, "relay"))
        n = math.prod(layer.shape)
        model, params = self._neurons(layer, n)
        self.calls.append(lambda: self.net.population(name, n, model, **params))
        self._project(before, name, found, weight)
        self.made += 1
        return layer.shape, name

    def _project(self, source: str, target: str, found: Map | None, weight: Any) -> None:
        exponent = -1 if self._is_mixed(weight) and (weight & 1).any() else 0
        if exponent:
            weight = self._twice(weight)
        kept = self.arrays.keep(f"{target}.weight", weight.astype(float))
        settings = {"weight": kept, "delay": "1 step", **({"weight_exp": exponent} if exponent else {})}
        connect = self._connect(target, found)
        self.calls.append(lambda: self.net.project(source, target, connect, **settings))

    def _note(self, layer: Layer, text: str) -> None:
        self.net.notes.append(f"layer {layer.number}: {text}")

    # --- synapses ----------------------------------------------------------------------------------------------------

    def _synapses(self, layer: Layer, shape: tuple[int, ...]) -> tuple[Map | None, Any, int]:
        """Synapses (None: all to all), their mantissas, and the number of sources."""
        if layer.kind == "dense":
            sources = layer.weight.shape[1]
            if shape and sources != math.prod(shape):
                fault = f"expected {math.prod(shape)} columns, one for each unit of the layer before, found {sources}"
                raise InputError(Problem("weight", fault))
            return None, self._clipped(layer.weight.ravel(), layer), sources
        if len(shape) != 3:
            raise InputError("expected an input with space and channels for a convolution, found none; "
                             "input_shape=(x, y, channels) says it")
        found = self._convolution(layer, shape)
        return found, self._clipped(found.weight.astype(np.int64), layer), math.prod(shape)

    def _convolution(self, layer: Layer, shape: tuple[int, ...]) -> Map:
        settings = layer.window or {}
        window = Window(layer.weight.shape[2:], settings["stride"], settings["padding"], settings["padding"],
                        settings["dilation"])
        groups, depth = settings["groups"], layer.weight.shape[1]
        if groups < 1 or shape[0] != depth * groups or len(layer.weight) % groups:
            fault = f"{depth} channels in {groups} groups do not fit an input of {shape[0]} channels"
            raise InputError(Problem("weight", fault))
        out = (len(layer.weight), *window.out(shape[1:]))
        if out != layer.shape:
            raise InputError(Problem("shape", f"expected {list(out)} by its input, found {list(layer.shape)}"))
        return convolution(layer.weight.astype(float), groups, window, shape[1:])

    def _connect(self, target: str, found: Map | None) -> Any:
        if found is None:
            return {"rule": "all_to_all"}
        ends = {end: self.arrays.keep(f"{target}.{end}", getattr(found, end)) for end in ("source", "target")}
        return {"rule": "explicit", **ends}

    @staticmethod
    def _is_mixed(weight: Any) -> bool:
        return bool(weight.size) and weight.min() < 0 < weight.max()

    def _clipped(self, weight: Any, layer: Layer) -> Any:
        """Mixed weights beyond their bits are clipped, as netx does."""
        low, high = MIXED
        if not self._is_mixed(weight) or (weight.min() >= low and weight.max() <= high):
            return weight
        self._note(layer, f"weights from {weight.min()} to {weight.max()} are clipped to {low} ... {high}")
        return np.clip(weight, low, high)

    @staticmethod
    def _twice(weight: Any) -> Any:
        """Odd mixed weights as even ones of twice the size, for an exponent of -1; netx does the same."""
        if weight.min() < MIXED[0] // 2 or weight.max() > MIXED[1] // 2:
            fault = "expected even weights where they are of both signs and some are beyond 127 in size"
            raise InputError(Problem("weight", f"{fault}, found {weight[(weight & 1) > 0][0]}"))
        return weight * 2

    # --- neurons -----------------------------------------------------------------------------------------------------

    def _neurons(self, layer: Layer, n: int) -> tuple[str, dict[str, Any]]:
        """The model and the parameters of a layer."""
        neuron = {name: np.asarray(value, float) for name, value in (layer.neuron or {}).items()}
        model, numbers = self._loihi_1(neuron) if self.semantics == "loihi1" else self._lava(neuron, layer)
        numbers |= {"vth": neuron["vThMant"], **self._bias(layer, n)}
        if self.interval is not None:
            model = "loihi_lif_reset"
            numbers["reset_interval"] = np.asarray(float(self.interval))
            numbers["reset_offset"] = np.asarray(float(self.offset + 1 + self.made))
        return model, {key: self._number(key, value, n) for key, value in numbers.items()}

    @staticmethod
    def _loihi_1(neuron: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "loihi1_lif", {"decay_u": neuron["iDecay"], "decay_v": neuron["vDecay"], "t_ref": neuron["refDelay"] - 1}

    def _lava(self, neuron: dict[str, Any], layer: Layer) -> tuple[str, dict[str, Any]]:
        if (longest := neuron["refDelay"].max()) > 1:
            self._note(layer, f"the refractory delay of {longest:g} steps is left out, as netx does; "
                              "semantics='loihi1' keeps it")
        return "loihi_lif", {"du": neuron["iDecay"] - 1, "dv": neuron["vDecay"]}

    def _bias(self, layer: Layer, n: int) -> dict[str, Any]:
        """One number for each unit or filter."""
        if layer.bias is None:
            return {}
        if layer.bias.size not in (1, n, layer.shape[0]):
            expected = " or ".join(map(str, dict.fromkeys([n, layer.shape[0]])))
            raise InputError(Problem("bias", f"expected {expected} numbers, found {layer.bias.size}"))
        mantissas = np.repeat(layer.bias, n // layer.bias.size).astype(float)
        return {"bias_mant": mantissas, "bias_exp": np.asarray(float(BIAS_EXP))}

    def _number(self, key: str, value: Any, n: int) -> Any:
        if value.size not in (1, n):
            raise InputError(Problem("neuron", f"expected 1 or {n} values for {key}, found {value.size}"))
        if value.size == 1:
            return float(value.ravel()[0])
        return self.arrays.keep(f"layer{self.made}.{key}", value.ravel())
