"""One site's refresh, a file a step: plan, then those of the table in `steps.py`.

Each step can be run again after a crash and then does only what is left. `mainstem run` and the DAGs call the same
functions. A step takes and returns ids and counts, never patient data.
"""

from mainstem.refresh.attempt import failing, succeeded
from mainstem.refresh.complete import complete
from mainstem.refresh.derive import derive
from mainstem.refresh.door import BusyError
from mainstem.refresh.map import map_types
from mainstem.refresh.opening import Progress, Refresh, open_refresh
from mainstem.refresh.plan import Planned, plan, planned
from mainstem.refresh.preflight import preflight
from mainstem.refresh.publish import publish
from mainstem.refresh.pull import pull_units
from mainstem.refresh.replay import remap, retry
from mainstem.refresh.report import verdict
from mainstem.refresh.run import run
from mainstem.refresh.slices import map_divided, map_undivided
from mainstem.refresh.steps import STEPS, Step

__all__ = [
    "STEPS",
    "BusyError",
    "Planned",
    "Progress",
    "Refresh",
    "Step",
    "complete",
    "derive",
    "failing",
    "map_divided",
    "map_types",
    "map_undivided",
    "open_refresh",
    "plan",
    "planned",
    "preflight",
    "publish",
    "pull_units",
    "remap",
    "retry",
    "run",
    "succeeded",
    "verdict",
]
