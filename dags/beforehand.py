"""What DAG files and tasks of ours need, imported once by the parts of Airflow that start a process for each of them.

Airflow's DAG processor reads every file in a copy of itself, and a scheduler with LocalExecutor does every task in one: what is imported
beforehand costs none of them anything, and is held in memory once. Celery's workers do so where they are told to (`dags.celery_worker`); a
hospital's import it for each task. What is held is of the release that was installed when the part began: after an upgrade, Airflow is started again.
"""

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from schemas.outcomes import MAPPED_TYPES

if TYPE_CHECKING:
    from pydantic import BaseModel

FILES = ("dags.site_dag", "dags.freshness_dag")
TASKS = (
    "httpcore2",
    "mainstem.config.collecting",
    "mainstem.config.settings",
    "mainstem.refresh",
    "mainstem.state.migrations.upgrade",
    "mainstem.state.site_status",
    "transforms.fhir.conformance",
)
PARTS = (
    "address",
    "annotation",
    "codeableconcept",
    "coding",
    "contactpoint",
    "dosage",
    "extension",
    "humanname",
    "identifier",
    "meta",
    "narrative",
    "period",
    "quantity",
    "reference",
    "timing",
)
"""Of resources, as FHIR's judge has them: it imports a part, as a type, when a resource first has it, 3 ms each in each task that checks a sample."""
ROOTS = ("connectors", "mainstem", "schemas", "transforms")
ROOMS = ("connectors.vendors", "mainstem.check", "transforms.derive", "transforms.quality", "transforms.resources")
"""Their files are found by name, when a task comes to them."""


@hookimpl
def on_starting(component: object) -> None:
    """A part of Airflow begins. A task's own process, which says so too, is left as it is."""
    if type(component).__name__ == "Job":
        stand_ready(FILES)
        if _does_tasks():
            stand_ready(of_tasks())
            watch_none()


def stand_ready(names: Iterable[str]) -> None:
    """Imports them, and has made what is made at first use: else each copy of this process makes it for itself."""
    from pydantic import BaseModel

    for name in names:
        import_module(name)
    draw_one()
    for model in _ours(BaseModel):
        model.model_rebuild()


def watch_none() -> None:
    """Makes and ends what watches over a task and talks to Airflow's API: its first in a process reads all authorities of TLS, 50 ms."""
    import airflow.sdk.execution_time.supervisor  # noqa: F401 - each worker would
    from airflow.sdk.api.client import Client

    Client(base_url="http://127.0.0.1/", token="").close()


def draw_one() -> None:
    """Draws the DAGs of a site that there is not, and writes them as Airflow's DAG processor does."""
    from airflow.serialization.serialized_objects import DagSerialization

    from dags.site_dag import replay_dag, site_dag

    for draw in (site_dag, replay_dag):
        DagSerialization.to_dict(draw("-"))


def _ours(base: "type[BaseModel]") -> Iterator["type[BaseModel]"]:
    """Models of Mainstem's, of which many are built when the first value comes: a command that needs few begins sooner by it."""
    for model in base.__subclasses__():
        if model.__module__.partition(".")[0] in ROOTS:
            yield model
        yield from _ours(model)


def of_tasks() -> Iterator[str]:
    """What tasks import, by the way that data takes: 35 MiB, and a second and a half for each task that did it by itself."""
    yield from TASKS
    yield from (f"fhir.resources.R4B.{name.lower()}" for name in (*PARTS, *sorted(MAPPED_TYPES)))
    for room in ROOMS:
        yield room
        yield from (found.name for found in walk_packages(import_module(room).__path__, f"{room}."))


def _does_tasks() -> bool:
    """Whether this is a scheduler whose tasks are copies of it. Airflow does not say which part begins: what it has imported does."""
    if "airflow.jobs.scheduler_job_runner" not in sys.modules:
        return False
    from airflow.configuration import conf

    return "LocalExecutor" in str(conf.get("core", "executor"))
