"""One site's refresh, a file a step: plan, pull, map, derive, publish, complete.

Each step can be run again after a crash and then does only what is left. `mainstem run` and the DAGs call the same
functions. A step takes and returns ids and counts, never patient data.
"""

from mainstem.refresh.complete import complete
from mainstem.refresh.derive import derive
from mainstem.refresh.map import map_types
from mainstem.refresh.opening import Mode, Progress, Refresh, open_refresh
from mainstem.refresh.plan import Plan, plan, planned
from mainstem.refresh.preflight import preflight
from mainstem.refresh.publish import publish
from mainstem.refresh.pull import pull_units
from mainstem.refresh.report import Report, verdict
from mainstem.refresh.run import run

__all__ = [
    "Mode",
    "Plan",
    "Progress",
    "Refresh",
    "Report",
    "complete",
    "derive",
    "map_types",
    "open_refresh",
    "plan",
    "planned",
    "preflight",
    "publish",
    "pull_units",
    "run",
    "verdict",
]
