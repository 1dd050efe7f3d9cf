"""The mapper: units of a graph to cores, and cores to chips.

``place(graph, load_target("loihi2"))`` gives a ``Placement`` with all that was found; its ``to_dict`` is for files.
"""

from snnsim.deploy.mapper.placement import Core, Placement, Share, Violation
from snnsim.deploy.mapper.placing import Activity, place

__all__ = ["Activity", "Core", "Placement", "Share", "Violation", "place"]
