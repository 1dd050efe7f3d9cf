"""Write what Lava's own process models compute for the cases of tests/lava_cases.py, to tests/truth/lava/.

    PYTHONPATH=.:tests LAVA_PYTHON tools/make_lava_answers.py [CASE ...]

LAVA_PYTHON: an interpreter with lava-nc 0.10.0 (tools/setup_lava makes one). No runtime of Lava is started: each
process model runs in a thread of its own, and channels are queues that cut numbers to the type of the sending port, as
those of Lava do.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.compiler.utils import PortInitializer, VarInitializer
from lava.proc.atrlif.models import PyATRLIFModelFixed
from lava.proc.atrlif.process import ATRLIF
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv
from lava.proc.dense.models import PyDelayDenseModelBitAcc, PyDenseModelBitAcc
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.models import PyGradedReluVecModelFixed, PyGradedVecModelFixed
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc, PyTernLifModelFixed
from lava.proc.lif.process import LIF, LIFReset, TernaryLIF
from lava.proc.prodneuron.models import PyProdNeuronModelFixed
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.rf.models import PyRFModelFixed
from lava.proc.rf.process import RF
from lava.proc.rf_iz.models import PyRF_IZModelFixed
from lava.proc.rf_iz.process import RF_IZ
from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
from lava.proc.sdn.process import ActivationMode, Delta, Sigma, SigmaDelta
from lava.proc.sparse.models import PyDelaySparseModelBitAcc, PySparseModelBitAcc
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from lava_cases import CASES, CONVOLUTIONS, Case, ConvCase, digest, signature
from scipy.sparse import csr_matrix

from snnsim.deploy.graph import Connection, Group

FOLDER = Path("tests/truth/lava")
SAMPLED = 100   # steps from one full record of the states to the next
NEURONS: dict[str, tuple[Any, Any]] = {
    "loihi_lif": (LIF, PyLifModelBitAcc), "loihi_lif_reset": (LIFReset, PyLifResetModelBitAcc),
    "loihi_ternary_lif": (TernaryLIF, PyTernLifModelFixed), "loihi_atrlif": (ATRLIF, PyATRLIFModelFixed),
    "loihi_sigma_delta": (SigmaDelta, PySigmaDeltaModelFixed), "loihi_delta": (Delta, PyDeltaModelFixed),
    "loihi_sigma": (Sigma, PySigmaModelFixed),
    "loihi_rf": (RF, PyRFModelFixed), "loihi_rf_iz": (RF_IZ, PyRF_IZModelFixed),
    "loihi_graded": (GradedVec, PyGradedVecModelFixed), "loihi_graded_relu": (GradedReluVec, PyGradedReluVecModelFixed),
    "loihi_product": (ProdNeuron, PyProdNeuronModelFixed),
}
CONNECTIONS = {(True, False): (Dense, PyDenseModelBitAcc), (True, True): (DelayDense, PyDelayDenseModelBitAcc),
               (False, False): (Sparse, PySparseModelBitAcc), (False, True): (DelaySparse, PyDelaySparseModelBitAcc)}
STATES = {"LIF": "u v", "LIFReset": "u v", "TernaryLIF": "u v", "ATRLIF": "i r theta v", "Delta": "act error residue",
          "SigmaDelta": "act error residue sigma", "Sigma": "sigma", "RF": "imag real", "RF_IZ": "imag real"}
DEFAULTS: dict[str, dict[str, Any]] = {"loihi_sigma_delta": {"vth": 1}, "loihi_delta": {"vth": 1},
                                       "loihi_rf": {"period": 10, "alpha": 0.07, "decay_bits": 12}}
DEFAULTS["loihi_rf_iz"] = DEFAULTS["loihi_rf"]
PORTS = {"in": "a_in", "in1": "a_in1", "in2": "a_in2", "real": "a_real_in", "imag": "a_imag_in"}


class Channel:
    """A channel from a port of type `dtype`; both ends call it by the `name` of their port."""

    def __init__(self, name: str, dtype: Any, queue: Any = None) -> None:
        self.name, self.dtype, self.queue = name, dtype, queue or SimpleQueue()

    def send(self, data: np.ndarray) -> None:
        sent = np.empty(data.shape, self.dtype)
        sent[:] = data[:]
        self.queue.put(sent)

    def recv(self) -> np.ndarray:
        return self.queue.get()


def built(process: Any, model: Any, channels: list[Channel]) -> Any:
    """The process model that Lava's own builder makes, with these channels at its ports."""
    builder = PyProcessBuilder(model, 0, process.proc_params)
    builder.set_variables([VarInitializer(var.name, var.shape, var.init, var.id) for var in process.vars])
    builder.set_py_ports([PortInitializer(port.name, port.shape, getattr(model, port.name).d_type, kind, 1, {})
                          for kind, ports in (("InPort", process.in_ports), ("OutPort", process.out_ports))
                          for port in ports])
    builder.set_csp_ports(channels)
    return builder.build()


def neurons(group: Group) -> tuple[Any, Any]:
    """The process of a group and its model."""
    process, model = NEURONS[group.model]
    options = {**DEFAULTS.get(group.model, {}), **group.params, **group.initial}
    if "relu" in options:
        options["act_mode"] = ActivationMode(options.pop("relu"))
    if "shift" in options:
        options["exp"] = options.pop("shift")
    return process(shape=(group.n,), **options), model


def synapses(case: Case, it: Connection, sizes: tuple[int, int]) -> tuple[Any, Any]:
    """The process of a connection and its model."""
    delayed = bool((it.delay > 1).any())
    process, model = CONNECTIONS[case.dense, delayed]
    weights, delays = np.zeros((2, sizes[1], sizes[0]), int)
    weights[it.post, it.pre], delays[it.post, it.pre] = it.weight, it.delay - 1
    options: dict[str, Any] = {"weight_exp": it.weight_exp, "num_weight_bits": it.num_weight_bits,
                               "num_message_bits": it.num_message_bits}
    if not case.auto:
        options["sign_mode"] = SignMode[it.sign_mode.upper()]
    if delayed:
        options["delays"] = delays if case.dense else csr_matrix(delays)
    return process(weights=weights if case.dense else csr_matrix(weights), **options), model


class Network:
    """The process models of a case, and the channels between them."""

    def __init__(self, case: Case) -> None:
        self.case, groups = case, case.graph.groups
        self.made = [neurons(group) for group in groups]
        self.out: list[list[Channel]] = [[] for _ in groups]
        self.into: list[list[Channel]] = [[] for _ in groups]
        self.recorded: list[list[list[np.ndarray]]] = [[] for _ in groups]
        self.loops: list[Callable[[], None]] = []
        for connection in case.graph.connections:
            self._connect(connection)
        for k, group in enumerate(groups):
            for port in group.ports:
                self._feed(k, port)
        for k in range(len(groups)):
            self._loop(k)

    def _channel(self, k: int, port: str, dtype: Any) -> Channel:
        """The sending end of a channel to a port of a group."""
        self.into[k].append(Channel(PORTS[port], dtype))
        return Channel("a_out", dtype, self.into[k][-1].queue)

    def _connect(self, it: Connection) -> None:
        groups = self.case.graph.groups
        process, model = synapses(self.case, it, (groups[it.source].n, groups[it.target].n))
        sender = Channel("s_out", self.made[it.source][1].s_out.d_type)
        self.out[it.source].append(sender)
        self._run(built(process, model, [Channel("s_in", sender.dtype, sender.queue),
                                         self._channel(it.target, it.port, model.a_out.d_type)]))

    def _feed(self, k: int, port: str) -> None:
        """What arrives from outside, like what a process with an int32 port would send."""
        total = np.zeros((self.case.steps, self.case.graph.groups[k].n), np.int64)
        for train in self.case.trains:
            if (train.group, train.port) == (k, port):
                np.add.at(total, (train.step - 1, train.unit), train.weight)
        channel = self._channel(k, port, np.int32)
        for row in total:
            channel.send(row)

    def _loop(self, k: int) -> None:
        model = built(*self.made[k], [*self.into[k], *self.out[k], kept := Channel("s_out", np.int64)])
        names = STATES.get(type(self.made[k][0]).__name__, "").split()
        rows = self.recorded[k]
        self._run(model, lambda: rows.append([*(np.copy(getattr(model, name)) for name in names), kept.recv()]))

    def _run(self, model: Any, after: Callable[[], object] = lambda: None) -> None:
        def loop() -> None:
            for step in range(1, self.case.steps + 1):
                model.time_step = step
                model.run_spk()
                after()

        self.loops.append(loop)

    def columns(self) -> Iterator[tuple[str, np.ndarray]]:
        """Runs; states and payloads of each group, [steps, n]."""
        threads = [threading.Thread(target=loop, daemon=True) for loop in self.loops]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
            if thread.is_alive():
                raise SystemExit(f"{self.case.graph.name}: a process model does not end")
        for group, (process, _), rows in zip(self.case.graph.groups, self.made, self.recorded, strict=True):
            names = [*STATES.get(type(process).__name__, "").split(), "payload"]
            for name, column in zip(names, zip(*rows, strict=True), strict=True):
                yield f"{group.name}.{name}", np.array(column)


def convolved(case: ConvCase) -> np.ndarray:
    """What a convolution sends in each step after an input, [steps, x, y, filters]."""
    process = Conv(weight=case.weight, input_shape=case.inputs.shape[1:], num_message_bits=case.num_message_bits,
                   **case.settings)
    source, found = Channel("s_in", np.int32), Channel("a_out", np.int32)
    model, sent = built(process, PyConvModelFixed, [source, found]), []
    for row in (*case.inputs, case.inputs[0]):
        source.send(row)
        model.run_spk()
        sent.append(found.recv())
    return np.array(sent[1:])


def main(names: list[str]) -> None:
    """Write the answers to all cases, or to those named."""
    FOLDER.mkdir(exist_ok=True)
    if not names or "convolutions" in names:
        np.savez_compressed(FOLDER / "convolutions.npz", signature=signature(CONVOLUTIONS),
                            **{name: convolved(case) for name, case in CONVOLUTIONS.items()})
    for name in [name for name in names if name in CASES] or ([] if names else CASES):
        case = CASES[name]
        columns = dict(Network(case).columns())
        sampled = {key: column[::-SAMPLED][::-1].astype(np.int64) for key, column in columns.items()}
        spikes = sum(int((column != 0).sum()) for key, column in columns.items() if key.endswith(".payload"))
        np.savez_compressed(FOLDER / f"{name}.npz", signature=signature(case), spikes=spikes,
                            digest=digest(list(columns.values())), **sampled)


if __name__ == "__main__":
    main(sys.argv[1:])
