"""A pool a site: how many of its tasks run at once, so that one site that floods leaves workers to all others.

A pool that nobody created would hang its tasks in silence. So Airflow's scheduler, which calls this module when it starts a
run, makes what is missing; one that is there is left as it is: somebody may have changed it, in the UI or by
`mainstem sites pools`. Of Mainstem little is imported, and that when a run begins: the scheduler stays light.
"""

from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session


@hookimpl
def on_dag_run_running(dag_run: "DagRun", msg: str) -> None:
    """A run begins: its tasks' pools are there before the first of them is looked at."""
    from airflow.configuration import conf
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is not None and dag_run.dag is not None:
        make_missing(session, slots_of(dag_run.dag.tasks), conf.getint("core", "parallelism"))


def slots_of(tasks: Any) -> dict[str, int]:
    """Pools of a DAG's tasks, each with as many slots as its tasks that are mapped run side by side."""
    from mainstem.config.pools import PREFIX

    found: dict[str, int] = {}
    for each in tasks:
        if each.pool.startswith(PREFIX):
            found[each.pool] = max(found.get(each.pool, 1), each.max_active_tis_per_dagrun or 1)
    return found


def make_missing(session: "Session", wanted: dict[str, int], at_once: int) -> None:
    """Within the scheduler's own transaction; two schedulers that do it at once make one."""
    from airflow.models.pool import Pool
    from sqlalchemy import select
    from sqlalchemy.dialects import postgresql, sqlite

    from mainstem.config.pools import share

    known = set(session.scalars(select(Pool.pool).where(Pool.pool.in_(wanted))))
    insert: Any = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    for name in sorted(wanted.keys() - known):
        described = "Tasks of one site at once; made when its first run began."
        row = {"pool": name, "slots": share(wanted[name], at_once), "description": described, "include_deferred": True}
        session.execute(insert(Pool).values(**row).on_conflict_do_nothing(index_elements=["pool"]))
