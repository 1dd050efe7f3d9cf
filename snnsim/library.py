"""The models that a network knows: the user's own, and the built-in ones of neurons, synapses and couplings."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from snnsim.checked import check_name
from snnsim.equations import Model, model_from_document
from snnsim.equations.coupling import (
    CouplingModel, check_coupling_document, coupling_from_document, is_coupling_document,
)
from snnsim.equations.synapse import (
    SynapseModel, check_synapse_document, is_synapse_document, synapse_from_document,
)
from snnsim.errors import InputError, Problem, unknown
from snnsim.loihi_learning import LEARNING
from snnsim.models import (
    builtin, builtin_coupling, builtin_coupling_document, builtin_names, builtin_synapse, coupling_names, synapse_names,
)
from snnsim.units import Dimension, describe

# What each kind of model is called, and where its name stands.
_KINDS = {
    "neurons": "a population", "synapses": "`synapse:` of a projection", "couplings": "`coupling:` of a projection",
}


class Library:
    """Models by name. neurons: the user's; synapses, couplings: documents of the user's, since units of weights and
    variables are known at a projection only; faulty: names whose documents have faults, which are noted already."""

    def __init__(self) -> None:
        self.neurons: dict[str, Model] = {}
        self.synapses: dict[str, Mapping[str, Any]] = {}
        self.couplings: dict[str, Mapping[str, Any]] = {}
        self.faulty: set[str] = set()

    def documents(self) -> dict[str, Mapping[str, Any]]:
        """The user's own models as documents."""
        return {**{name: model.document for name, model in self.neurons.items()}, **self.synapses, **self.couplings}

    def add(self, name: str, document: Any) -> Model | None:
        """Take in a document; returns the model, or None for one that is made anew for each projection."""
        check_name("model", name, self.documents())
        if name == LEARNING:
            raise InputError(f"{LEARNING} is the name of Loihi's learning synapses; give this model another")
        if is_synapse_document(document):
            check_synapse_document(name, document)
            self.synapses[name] = copy.deepcopy(dict(document))
        elif is_coupling_document(document):
            check_coupling_document(name, document)
            self.couplings[name] = copy.deepcopy(dict(document))
        else:
            self.neurons[name] = model_from_document(name, document)
        return self.neurons.get(name)

    def neuron(self, name: str) -> Model:
        """The user's model of that name, or the built-in one."""
        self._check("neurons", "model", name)
        return self.neurons[name] if name in self.neurons else builtin(name)

    def synapse(self, name: str, weight: Dimension) -> SynapseModel:
        """The user's synapse model of that name, or the built-in one, for weights of this dimension."""
        self._check("synapses", "synapse model", name)
        if name not in self.synapses:
            return builtin_synapse(name, weight)
        with _suits(f"{name} is not for weights that are {describe(weight)}"):
            return synapse_from_document(name, self.synapses[name], weight)

    def coupling(self, name: str, variable: Dimension) -> CouplingModel:
        """The user's coupling of that name, or the built-in one, of variables of this dimension."""
        self._check("couplings", "coupling", name)
        if name not in self.couplings:
            return builtin_coupling(name, variable)
        with _suits(f"{name} is not for variables that are {describe(variable)}"):
            return coupling_from_document(name, self.couplings[name], variable)

    def variable(self, name: str) -> str | None:
        """The variable that a coupling of that name is meant for; None where it leaves that open."""
        self._check("couplings", "coupling", name)
        own = self.couplings.get(name)
        return builtin_coupling_document(name).get("variable") if own is None else own.get("variable")

    def _known(self) -> dict[str, list[str]]:
        return {"neurons": [*self.neurons, *builtin_names()], "synapses": [*self.synapses, *synapse_names(), LEARNING],
                "couplings": [*self.couplings, *coupling_names()]}

    def _check(self, kind: str, word: str, name: str) -> None:
        """``InputError`` unless there is a model of this kind and name."""
        known = self._known()
        if name in known[kind]:
            return
        if name in self.faulty:
            raise InputError([])
        for other, names in known.items():
            if name in names:
                raise InputError(f"{name} is a model of {other}, for {_KINDS[other]}; expected one of: "
                                 f"{', '.join(sorted(known[kind]))}")
        raise InputError(unknown(word, name, known[kind]))


@contextmanager
def _suits(fault: str) -> Iterator[None]:
    """Say with every fault of a document what it was read for, since for something else there may be none."""
    try:
        yield
    except InputError as error:
        raise InputError([Problem("", f"{fault}: {problem}") for problem in error.problems]) from error
