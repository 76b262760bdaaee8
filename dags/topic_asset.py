"""The outcome topic as an asset of Airflow's, by which a consumer's DAG is started (`schedule=[Asset(name="lhn.outcome.v1", uri="kafka://host:port/lhn.outcome.v1")]`).

Airflow 3.3 makes an asset when a task first tells of it. Of two tasks that end at one moment both make it, the database refuses one, and Airflow
calls that task failed, for good, though its work is done. So the scheduler, which calls this module when a run begins, makes the asset before.
"""

import contextlib
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from schemas.errors import MainstemError
from schemas.events import outcome_topic

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import Asset
    from sqlalchemy.orm import Session

    from mainstem.config.settings import Settings

PULLS = "ehr_pull__"
"""How the ids of the DAGs begin that tell of it."""


def asset_of(settings: "Settings") -> "Asset":
    """As the network's settings name it, at the first of its brokers."""
    from airflow.sdk import Asset

    topic = outcome_topic(settings.network)
    return Asset(name=topic, uri=f"kafka://{settings.kafka.partition(',')[0]}/{topic}")


@hookimpl
def on_dag_run_running(dag_run: "DagRun", msg: str) -> None:
    """A site's run begins. A scheduler that does not know the network leaves the asset to the tasks."""
    from sqlalchemy.orm import object_session

    from mainstem.config.settings import load_settings

    session = object_session(dag_run)
    if session is not None and dag_run.dag_id.startswith(PULLS):
        with contextlib.suppress(MainstemError):
            make_missing(session, asset_of(load_settings()))


def make_missing(session: "Session", asset: "Asset") -> None:
    """Within the scheduler's own transaction; two schedulers that do it at once make one."""
    from airflow.models.asset import AssetModel
    from sqlalchemy import select
    from sqlalchemy.dialects import postgresql, sqlite

    named = AssetModel.name == asset.name, AssetModel.uri == asset.uri
    if session.scalar(select(AssetModel.id).where(*named)) is None:
        insert: Any = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        row = {"name": asset.name, "uri": asset.uri, "group": asset.group, "extra": {}}
        session.execute(insert(AssetModel).values(**row).on_conflict_do_nothing(index_elements=["name", "uri"]))
