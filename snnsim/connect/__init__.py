"""Connection rules: which synapses a projection has.

``rule_from_spec({...}).bind(n_source, n_target, ...)`` gives a ``Bound``, whose ``blocks`` draws the synapses onto any
range of targets: the same ones in every partition.
"""

from snnsim.connect.base import Block, Bound, Rule
from snnsim.connect.spec import (
    RULES,
    all_to_all,
    distance,
    explicit,
    fixed_indegree,
    fixed_outdegree,
    fixed_total,
    one_to_one,
    pairwise,
    rule_from_spec,
)

__all__ = [
    "RULES", "Block", "Bound", "Rule", "all_to_all", "distance", "explicit", "fixed_indegree", "fixed_outdegree",
    "fixed_total", "one_to_one", "pairwise", "rule_from_spec",
]
