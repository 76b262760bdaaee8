"""The DAG of one site: preflight → plan → pull → map → derive → publish → complete → report.

A task calls one function of `mainstem.refresh`, the same that `mainstem run` calls. XCom carries ids, names and counts.
One cause is one red task: what cannot be read leaves a gap, what stops a task stops the run there, and `report`, which runs
whatever happened, colours nothing. A site file that cannot be read gives a DAG too, whose first task says what is wrong
with it: without a DAG, Airflow would start its running tasks again for ever.
While an EHR makes its export the pulling task leaves its worker and comes back to the same job.
The load on an EHR is bounded by `max_active_runs` and the site's pool (`dags.pools`), in which all that is done side by side waits.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from airflow.sdk import (
    DAG,
    AssetAlias,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    chain,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException
from airflow.sdk.log import mask_secret

from dags.declared import Declared, asked, declared, faces, replay_faces, sites_folder
from dags.run_notes import FAILURE, MISSING, SAFE, Trouble, note, runbook, told
from dags.topic_asset import asset_of
from mainstem import telemetry
from schemas.errors import IncompleteError, MainstemError, OperatorError, TemporaryError, WaitsElsewhere
from schemas.runbooks import of_exit_code, of_gap
from schemas.sites import start_of

if TYPE_CHECKING:
    from airflow.sdk.bases.decorator import Task

    from mainstem.refresh import Refresh
    from schemas.loads import LoadReport

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=["schemas.errors.OperatorError", "schemas.errors.IncompleteError"],
            action=RetryAction.FAIL,
            reason="an operator must act first: see the end of the log",
        ),
        RetryRule(exception="schemas.errors.TemporaryError", action=RetryAction.RETRY, reason="temporary: tried again"),
    ]
)
DEFAULTS: dict[str, Any] = {
    "retries": 5,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "retry_policy": RETRY_POLICY,
    "show_return_value_in_logs": False,
    "weight_rule": "upstream",  # a site that was begun is ended before another begins: by Airflow's own rule all of a network end together, late
}
P = ParamSpec("P")
R = TypeVar("R")
NAMES = "{{ names | default('') }}"
"""Of a mapped task, in the pages. Airflow draws it before the task knows them too: what is not there yet is no error."""
MAPPED = {"read", "mapped", "records"}
UNMOVED = "not moved by this task; see `mainstem status`"
"""Said of a watermark that cannot be asked for."""

log = logging.getLogger(__name__)


def step(**how: Any) -> "Callable[[Callable[P, R]], Task[P, R]]":
    """A task whose answer is one XCom: of a dictionary Airflow would keep each key once more, a request to its API server each."""
    return task(multiple_outputs=False, **how)


def site_dag(name: str) -> DAG:
    """The DAG of a site, from `<sites>/<name>.toml`. Reads configuration only.

    Named after the file: the name is the same whatever stands in it, so that a run goes on under it.
    """
    file = declared(sites_folder() / f"{name}.toml")
    with DAG(
        dag_id=file.dag_id,
        schedule=_schedule(file),
        catchup=False,
        max_active_runs=1,
        default_args={**DEFAULTS, **file.at},
        **faces(file),
    ) as dag:
        _tasks(file, dag.dag_id)
    dag.params.update(asked(file))  # after the tasks: each would keep a copy, which Airflow checks and writes for each
    return dag


def replay_dag(name: str) -> DAG:
    """The DAG that maps a site's landing again, started by people: after a new version, a code map, a setting."""
    file = declared(sites_folder() / f"{name}.toml")
    with DAG(
        dag_id=file.replay_id,
        schedule=None,
        catchup=False,
        max_active_runs=1,
        default_args={**DEFAULTS, **file.at},
        **replay_faces(file),
    ) as dag:
        _replay_tasks(file)
    what = ["remap", "retry"]
    dag.params["what"] = Param(
        what[0], enum=what, description="remap: all that was landed; retry: what could not be used."
    )
    return dag


def _replay_tasks(file: Declared) -> None:
    @step()
    def replay() -> dict[str, Any]:
        what = get_current_context()["params"]["what"]
        with _context(file) as (refresh, steps):
            done = {"remap": steps.remap, "retry": steps.retry}[what](refresh, beside=False)
        return {"load": done.load, "status": done.status, "read": done.total.read, "published": done.published}

    @step(retries=0)
    def report() -> str:
        task_instance: Any = get_current_context()["ti"]
        troubles = [found for found in task_instance.xcom_pull(task_ids=["replay"], key=FAILURE) if found]
        done = task_instance.xcom_pull(task_ids="replay") or {}
        said = _note(file.path, done.get("load"), troubles, "no load was mapped again")
        print(said)  # noqa: T201 - the last log lines are what an engineer reads first
        return said

    replayed = replay()
    replayed >> report().as_teardown()


def _schedule(file: Declared) -> CronTriggerTimetable:
    """The site's own, or the usual one where its file cannot be read, so that somebody hears of it.

    Its first night is the next: Airflow 3.3 takes False for a tenth of a day, in which the night before is made up for.
    """
    cron, zone = (start_of(file.path.stem), "UTC") if file.site is None else (file.site.schedule, file.site.time_zone)
    return CronTriggerTimetable(cron, timezone=zone, run_immediately=timedelta())


def _tasks(file: Declared, dag_id: str) -> None:
    path, pulls, mappers, workers = file.path, file.pulls, file.mappers, file.workers

    @step()
    def preflight() -> int:
        with _context(file) as (refresh, steps):
            return int(steps.preflight(refresh, dry=get_current_context()["params"]["dry_run"]))

    @step()
    def plan() -> str:
        params = get_current_context()["params"]
        if params["dry_run"]:
            raise AirflowSkipException("dry run: the site can be read")
        with _context(file) as (refresh, steps):
            planned = steps.plan(refresh, mode=params["mode"], types=params["types"], since=_since())
        return str(planned.load)

    @step(map_index_template=NAMES, max_active_tis_per_dagrun=pulls)
    def pull(load: str, part: int) -> int:
        with _context(file) as (refresh, steps):
            return _pull(refresh, steps, load, _left(refresh, load, steps.planned(refresh, load).units_of(part, pulls)))

    @step(map_index_template=NAMES, max_active_tis_per_dagrun=mappers)
    def map_types(load: str, part: int) -> dict[str, int]:
        with _context(file) as (refresh, steps):
            if not (types := _left(refresh, load, steps.planned(refresh, load).types_of(part, mappers))):
                return {}
            return dict(steps.map_undivided(refresh, load, types, workers).model_dump(include=MAPPED))

    @step()
    def derive(load: str) -> int:
        with _context(file) as (refresh, steps):
            return 0 if _completed_before(refresh, load) else int(steps.derive(refresh, load))

    @step()
    def publish(load: str) -> int:
        with _context(file) as (refresh, steps):
            return int(steps.publish(refresh, load))

    @step(outlets=[AssetAlias(dag_id)])
    def complete(load: str) -> dict[str, Any]:
        with _context(file) as (refresh, steps):
            done = _completed(refresh, steps, load, dag_id)
        return {"load": done.load, "status": done.status, "read": done.total.read, "published": done.published}

    @step(retries=0)
    def report() -> str:
        said = _report(path)
        print(said)  # noqa: T201 - the last log lines are what an engineer reads first
        return said

    checked, load = preflight(), plan()
    pulled = pull.partial(load=load).expand(part=list(range(pulls)))
    mapped = map_types.partial(load=load).expand(part=list(range(mappers)))
    divided = _divided(file, load, workers)
    derived, published, completed = derive(load), publish(load), complete(load)  # type: ignore[arg-type] # Airflow resolves the load
    tasks = [checked, load, pulled, mapped, *divided, derived, published, completed]
    chain(*tasks)
    tasks >> report().as_teardown()  # it runs whatever happened, and the run's state is that of `complete`


def _divided(file: Declared, load: Any, workers: int) -> list[Any]:
    """The tasks that map slices of large types; none where one process maps a type."""

    @step(map_index_template=NAMES, max_active_tis_per_dagrun=workers)
    def map_divided(load: str, part: int) -> dict[str, int]:
        with _context(file) as (refresh, steps):
            if not _left(refresh, load, [f"part {part + 1} of {workers}"]):
                return {}
            return dict(steps.map_divided(refresh, load, part, workers).model_dump(include=MAPPED))

    return [map_divided.partial(load=load).expand(part=list(range(workers)))] if workers > 1 else []


def _completed(refresh: "Refresh", steps: Any, load: str, dag_id: str) -> "LoadReport":
    done: LoadReport = steps.complete(refresh, load)
    steps.succeeded(refresh, done)
    if done.published:
        _announce(refresh, dag_id, {"load": done.load, "status": done.status, "published": done.published})
    return done


def _announce(refresh: "Refresh", alias: str, told: dict[str, Any]) -> None:
    """An event of the topic, by which a consumer's DAG is started."""
    get_current_context()["outlet_events"][AssetAlias(alias)].add(asset_of(refresh.settings), extra=told)


@contextmanager
def _context(file: Declared) -> Iterator[tuple["Refresh", Any]]:
    """The site's refresh and its steps. What stops the task is left for the run's note.

    An error of ours is raised without what caused it: a library's text stays out of logs.
    """
    from mainstem import refresh as steps

    how_far = [UNMOVED]
    try:
        if file.fault is not None:
            raise file.fault
        with _opened(file.path, _leave_the_worker) as refresh, _asking(refresh, how_far), steps.failing(refresh):
            yield refresh, steps
    except WaitsElsewhere as wait:
        raise AirflowRescheduleException(wait.until) from None  # type: ignore[no-untyped-call] # Airflow has it without types
    except MainstemError as exc:
        _tell(file, _leave(FAILURE, [_where()], [exc]), how_far[-1])
        raise exc.with_traceback(None) from None
    except Exception as exc:  # noqa: BLE001 - the edge: Airflow would log its text
        defect = _defect(exc)
        _tell(file, _leave(FAILURE, [_where()], [defect]), how_far[-1])
        raise defect.with_traceback(exc.__traceback__) from None  # its text stays out of the task's log too
    finally:
        telemetry.flush()  # a task's process ends without a word


@contextmanager
def _asking(refresh: "Refresh", how_far: list[str]) -> Iterator[None]:
    """Adds how far the site is read, where a task fails and the state can be asked."""
    try:
        yield
    except Exception:
        with suppress(Exception):  # what cannot be asked hides no cause: the task's own error goes on
            how_far.append(_watermark(refresh))
        raise


AWAY = timedelta(minutes=2)
"""For how long a task leaves its worker at least: to begin again costs some seconds."""


def _leave_the_worker(seconds: float) -> None:
    """An export is not ready: the task ends, holds no worker, and comes back to the same job. No trigger is needed, so an
    edge worker does it too."""
    raise WaitsElsewhere(datetime.now(UTC) + max(timedelta(seconds=seconds), AWAY))


@contextmanager
def _opened(path: Path, export_wait: Callable[[float], None] | None = None) -> Iterator["Refresh"]:
    from mainstem.config.collecting import look_seldom
    from mainstem.config.settings import load_settings
    from mainstem.config.site_files import file_secrets
    from mainstem.refresh import open_refresh

    look_seldom()

    def secrets(reference: str) -> bytes:
        kind, _, connection_id = reference.partition(":")
        if kind == "airflow":
            from airflow.sdk import Connection

            return (Connection.get(connection_id).password or "").encode()
        return _masked(file_secrets(path.parent)(reference))

    with open_refresh(path, load_settings(), secrets=secrets, export_wait=export_wait) as refresh:
        yield refresh


def _masked(secret: bytes) -> bytes:
    """A secret of a file or the environment, from now on hidden by Airflow in logs, pages and templates as those of its connections are:
    by line, since a log writes a key's ends of lines otherwise."""
    for line in secret.decode(errors="replace").splitlines():
        mask_secret(line)
    return secret


def _pull(refresh: "Refresh", steps: Any, load: str, units: Sequence[str]) -> int:
    """Pulls every unit. One that cannot be read is a gap; one that may be read later is so only after the last try."""
    task_instance: Any = get_current_context()["ti"]
    resources, missing = 0, dict[str, MainstemError]()
    for unit in units:
        try:
            resources += steps.pull_units(refresh, load, [unit])
        except steps.BusyError:
            raise  # it is being pulled: no gap, however often this was tried
        except MainstemError as exc:
            if unit not in refresh.store.loads.pulled(load):
                raise  # not the unit's own failure: it would have been noted with the load
            missing[unit] = exc
    passing = [exc for exc in missing.values() if isinstance(exc, TemporaryError)]
    if passing and task_instance.try_number <= task_instance.max_tries:
        raise passing[0]
    if missing:
        _leave(MISSING, list(missing), list(missing.values()))
    return resources


WHO: dict[type[MainstemError], tuple[str, str]] = {
    TemporaryError: ("whoever runs what did not answer, where it lasts", f"{SAFE}; it may succeed by itself"),
    IncompleteError: ("whoever delivers the site's data", f"{SAFE}; useful once the rest is delivered"),
    OperatorError: ("whoever runs Mainstem for this site", f"{SAFE}; useful once the cause is mended"),
}
"""Who acts on an error, and what a retry is good for, by the error's kind."""


def _leave(key: str, where: Sequence[str], errors: Sequence[MainstemError]) -> Trouble:
    """Leaves for the run's note what went wrong, and where."""
    kind = next((kind for kind in WHO if isinstance(errors[0], kind)), OperatorError)
    who, retry = WHO[kind]
    if key == MISSING or isinstance(errors[0], IncompleteError):
        who = errors[0].gap.who
    causes = "; ".join(dict.fromkeys(error.cause for error in errors))
    fix = next((error.fix for error in errors if error.fix), "See the task's log.")
    answered = runbook(of_gap(errors[0].gap) if key == MISSING else of_exit_code(errors[0].exit_code))
    trouble = Trouble(
        where=", ".join(where)[:150], cause=causes[:350], fix=fix[:200], who=who, retry=retry, page=answered[:150]
    )
    try:
        get_current_context()["ti"].xcom_push(key=key, value=dict(trouble))
    except Exception as exc:  # noqa: BLE001 - what went wrong goes on, with its kind; Airflow's API is away
        print(f"not left for the run's note ({type(exc).__name__}): {json.dumps(trouble)}")  # noqa: T201 - the task's log
    return trouble


def _tell(file: Declared, trouble: Trouble, watermark: str) -> None:
    """Says in the task's log what an engineer reads there first: behind it Airflow writes frames of its own."""
    for line in (f"{file.path.stem}: {trouble['cause']}", *told(trouble), f"Watermark: {watermark}"):
        log.error(line)


def _defect(exc: Exception) -> MainstemError:
    """An error that is not one of ours: its text may hold what it worked on, so its kind alone is told. Tried again as others."""
    return MainstemError(f"a defect of Mainstem ({type(exc).__name__})", "Report it with the task's log.")


def _where() -> str:
    """The task, and the types or units that fell to it."""
    context: Any = get_current_context()
    names = context.get("names")
    return f"{context['ti'].task_id} {names}" if names else str(context["ti"].task_id)


def _report(path: Path) -> str:
    """The run's note, from what its tasks left and what the state knows."""
    context: Any = get_current_context()
    troubles = _troubles(context["ti"])
    load = None if context["params"]["dry_run"] else context["ti"].xcom_pull(task_ids="plan")
    nothing = "" if troubles else "dry run: the site can be read, nothing was loaded"
    return _note(path, load, troubles, nothing)


def _note(path: Path, load: str | None, troubles: Sequence[Trouble], nothing: str) -> str:
    """A run's note; `nothing` is said of one without a load that nothing stopped."""
    site = path.stem
    try:
        with _opened(path) as refresh:
            site = refresh.site.site
            headline, watermark = _headline(refresh, load, nothing), _watermark(refresh)
    except MainstemError:
        headline, watermark = f"{site}: the state cannot be asked", UNMOVED
    return note(headline, troubles, watermark)


def _troubles(task_instance: Any) -> list[Trouble]:
    """What stopped tasks and what is missing, the nearest to the cause first: `complete` only repeats what `pull` met."""
    failed = _failed(task_instance)

    def left(*tasks: str) -> list[Any]:
        named = [name for name in tasks if name in failed]
        return list(task_instance.xcom_pull(task_ids=named, key=FAILURE)) if named else []

    earlier = left("preflight", "plan")
    missing = task_instance.xcom_pull(task_ids=["pull"], key=MISSING)
    later = left("pull", "map_types", "map_divided", "derive", "publish", "complete")
    return [cast(Trouble, found) for found in (*earlier, *missing, *later) if found]


def _failed(task_instance: Any) -> set[str]:
    """Tasks of the run that failed, by one question: each is an answer of Airflow's API server. What is mapped, with its number and without."""
    states = task_instance.get_task_states(dag_id=task_instance.dag_id, run_ids=[task_instance.run_id])
    failed = {key for key, state in states.get(task_instance.run_id, {}).items() if state == "failed"}
    return failed | {key.rpartition("_")[0] for key in failed}


def _headline(refresh: "Refresh", load: str | None, nothing: str) -> str:
    from mainstem.refresh import verdict

    site = refresh.site.site
    return (f"{site}: {nothing}" if nothing else site) if load is None else verdict(refresh, load)[0][:500]


def _watermark(refresh: "Refresh") -> str:
    """How far the site is read: the oldest type decides."""
    known = refresh.store.watermarks.of(refresh.site.site)
    never = [name for name in refresh.site.types if name not in known]
    said = [f"never read: {', '.join(never)}"] if never else []
    if known:
        oldest = min(known, key=lambda name: known[name])
        said.insert(0, f"complete up to {known[oldest].isoformat()} ({oldest})")
    return "; ".join(said)[:200]


def _named(names: list[str]) -> list[str]:
    """Shows the names in the UI instead of a number."""
    get_current_context()["names"] = shown_names(names)  # type: ignore[typeddict-unknown-key]
    return names


def _left(refresh: "Refresh", load: str, names: list[str]) -> list[str]:
    """Shows the names; gives what is to be done of them, which is nothing where the task was cleared after its load had completed."""
    shown = _named(names)
    return [] if _completed_before(refresh, load) else shown


def _completed_before(refresh: "Refresh", load: str) -> bool:
    return bool(refresh.store.loads.get(load).status == "completed")


SHOWN_CHARACTERS = 250
"""Airflow keeps so much of a mapped task's name (`rendered_map_index`); PostgreSQL refuses more, and the task fails by it."""


def shown_names(names: Sequence[str]) -> str:
    """All of them where they fit, else the first and how many more."""
    for shown in range(len(names), 0, -1):
        more = f" and {len(names) - shown} more" if shown < len(names) else ""
        if len(said := ", ".join(names[:shown]) + more) <= SHOWN_CHARACTERS:
            return said
    return f"{len(names)} parts" if names else "nothing"


def _since() -> datetime | None:
    """From when on is read again: what the run was told, else the night that a backfill is for."""
    context: Any = get_current_context()
    if (told := context["params"]["since"]) is not None:
        return datetime.fromisoformat(told)
    run = context["dag_run"]
    return cast(datetime, run.logical_date) if run.run_type == "backfill" else None
