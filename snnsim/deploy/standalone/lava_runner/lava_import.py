"""What is used of Lava, by name: imported when it is asked for, so that a wrong graph is refused without Lava."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from .errors import LavaError, last_line

PROCESSES = {"lif": "LIF LIFReset TernaryLIF", "atrlif": "ATRLIF", "sdn": "SigmaDelta Delta Sigma", "rf": "RF",
             "rf_iz": "RF_IZ", "graded": "GradedVec GradedReluVec", "prodneuron": "ProdNeuron",
             "sparse": "Sparse DelaySparse", "dense": "LearningDense"}
PARTS = {"magma.core.process.process": "AbstractProcess", "magma.core.process.ports.ports": "InPort OutPort",
         "magma.core.model.py.model": "PyLoihiProcessModel", "magma.core.model.py.type": "LavaPyType",
         "magma.core.model.py.ports": "PyInPort PyOutPort", "magma.core.resources": "CPU",
         "magma.core.sync.protocols.loihi_protocol": "LoihiProtocol", "magma.core.run_configs": "Loihi2SimCfg",
         "magma.core.run_conditions": "RunSteps", "magma.runtime.mgmt_token_enums": "MGMT_RESPONSE",
         "magma.core.learning.learning_rule": "Loihi2FLearningRule",
         "magma.compiler.compiler": "Compiler", "magma.compiler.compiler_graphs": "ProcGroupDiGraphs",
         "utils.weightutils": "SignMode", "proc.sdn.process": "ActivationMode"}


def import_lava() -> SimpleNamespace:
    """What is used of Lava, by name; `models` has the fixed-point process model of each process class."""
    found: dict[str, Any] = {"models": {}}
    try:
        with hashable_dataclasses():
            for module, names in PARTS.items():
                at = importlib.import_module(f"lava.{module}")
                found.update({name: getattr(at, name) for name in names.split()})
            for module, names in PROCESSES.items():
                at, models = (importlib.import_module(f"lava.proc.{module}.{part}") for part in ("process", "models"))
                for name in names.split():
                    found[name] = getattr(at, name)
                    found["models"][found[name]] = fixed_point_model(models, found[name])
    except Exception as error:
        raise LavaError(f"Lava cannot be imported: {last_line(error)}; expected lava-nc 0.10.0") from error
    return SimpleNamespace(**found)


def fixed_point_model(models: Any, process: Any) -> Any:
    return next(model for model in vars(models).values()
                if getattr(model, "implements_process", None) is process and "fixed_pt" in model.tags)


@contextlib.contextmanager
def hashable_dataclasses() -> Iterator[None]:
    """Give Lava's data classes a hash while it is imported: some are defaults of others, refused since Python 3.11."""
    plain: Any = dataclasses.dataclass

    def hashable(cls: Any = None, /, **options: Any) -> Any:
        def wrap(cls: Any) -> Any:
            return plain(cls, **({"unsafe_hash": True} if cls.__module__.startswith("lava.") else {}), **options)

        return wrap if cls is None else wrap(cls)

    dataclasses.dataclass = hashable
    try:
        yield
    finally:
        dataclasses.dataclass = plain
