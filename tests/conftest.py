"""Real parts the tests share: one PostgreSQL and one broker a run; a database, a namespace, hospitals a test."""

import contextlib
import gc
import json
import os
import re
import shutil
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from commands_here import quiet_again
from emptied import emptied, new_name
from how_many import fewer, some
from hypothesis import HealthCheck, settings

from mainstem.demo.embedded import BackendClient, Hospital, Postgres, Tansu

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
"""By this a development tool has `jsonschema` check IRIs: its grammar takes seconds, and no schema here has one."""

SUBJECTS = [
    "apache_kafka",
    "disk_not_awaited",
    "hospital_with_faults",
    "exporting",
    "known_network",
    "networks",
    "quirky_hospitals",
    "registries",
    "screens",
    "sources",
    "statements_once",
    "story",
    "streams",
    "tables_once",
]
"""Fixtures by subject, files of `support/`."""


def pytest_configure(config: pytest.Config) -> None:
    """The process that hands the tests to others has no need of fixtures, whose imports cost it seconds before any other begins."""
    _fewer_cases_where_slow_tests_are_left_out(config)
    if "PYTEST_XDIST_WORKER" in os.environ or not config.getoption("numprocesses", None):
        for subject in SUBJECTS:
            config.pluginmanager.import_plugin(subject)


settings.register_profile("any load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any load")
"""A property that holds must not fall where the machine is busy. On CI the rest stays as Hypothesis has it there."""


def _fewer_cases_where_slow_tests_are_left_out(config: pytest.Config) -> None:
    left_out = "not slow" in config.getoption("markexpr", "")
    fewer(left_out)
    if left_out:
        settings.register_profile(
            "some", settings.get_profile("any load"), max_examples=some(settings.default.max_examples)
        )
        settings.load_profile("some")


LONGEST = (
    "end_to_end/test_airflow.py",
    "faults/test_nights_of_sixty.py",
    "transforms/test_nothing_identifying.py",
    "publisher/test_brokers_and_topics.py",
    "faults/test_killed_run.py",
    "pages/test_pages.py",
    "pages/test_known_signals.py",
    "pages/test_shell.py",
    "consumer/test_choices.py",
    "measures/test_keeping.py",
    "refresh/test_findings.py",
    "access/test_walk.py",
    "end_to_end/test_new_ehr.py",
    "refresh/test_workers.py",
    "pages/test_pre_visit_plan.py",
    "end_to_end/test_recovery.py",
    "end_to_end/test_telemetry.py",
    "end_to_end/test_scale.py",
    "end_to_end/test_two_versions.py",
    "home/test_story.py",
    "measures/test_feedback_stream.py",
    "faults/test_consent_in_any_order.py",
    "end_to_end/test_apache_kafka.py",
    "people/test_coproduction.py",
    "people/test_barriers.py",
    "people/test_weights.py",
    "commands/test_tutorial.py",
    "faults/test_interleavings.py",
    "faults/test_forgotten_subject.py",
    "pages/test_warming.py",
    "contracts/test_example_consumers.py",
    "kafka/test_on_apache_kafka.py",
    "measures/test_library_evaluators.py",
    "test_sbom.py",
    "refresh/test_every_type_over_nights.py",
    "end_to_end/test_three_roads.py",
    "security/test_pages_and_api.py",
    "registry/test_across.py",
    "refresh/test_deliveries.py",
    "home/test_family.py",
    "registry/test_reading.py",
    "pages/test_site_report.py",
    "refresh/test_cohorts.py",
    "refresh/test_nights_with_faults.py",
    "refresh/test_exports_with_faults.py",
    "end_to_end/test_steps.py",
    "end_to_end/test_planted.py",
    "access/test_pages_tokens.py",
    "refresh/test_lending.py",
    "transforms/test_quality.py",
    "test_project.py",
    "mending/test_reconcile.py",
    "dags/test_pools.py",
    "refresh/test_derive.py",
    "publisher/test_restored_state.py",
)
"""Files that take long for their number of tests begin first, else one of them is what all others wait for at the end."""


def pytest_collection_finish() -> None:
    """What is there when the first test begins stays: Python need not look through it for what may go."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in the order in which they are handed to workers: the longest, then those of the most tests."""
    tests, root = Counter(item.path for item in items), Path(__file__).parent
    first = {root / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (first.get(item.path, len(first)), -tests[item.path], str(item.path)))


SEEDS = (11,)
"""Of the quick runs; `make faults` runs those of faults/seeds.txt."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seed`: those of the quick runs, or one a line of the file that MAINSTEM_FAULT_SEEDS names."""
    own = any("seed" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "seed" in metafunc.fixturenames and not own:
        named = os.environ.get("MAINSTEM_FAULT_SEEDS")
        metafunc.parametrize("seed", [int(line) for line in Path(named).read_text().split()] if named else SEEDS)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: at nearly any time somebody waits for a broker that is away, or a retry."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command run within a test sets up the logs of the whole process."""
    yield
    quiet_again()


@pytest.fixture(scope="session")
def parts_folder() -> Iterator[Path]:
    """A folder with a short path (unix sockets allow about 100 bytes), whatever --basetemp says."""
    folder = Path(tempfile.mkdtemp(prefix="mst-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(parts_folder: Path) -> Iterator[Postgres]:
    """One PostgreSQL for the whole run; `postgres_server.url(database)`, `.create_database(name)`."""
    with Postgres(parts_folder) as server:
        yield server


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """Databases that a test has had and that are empty again: to make one costs PostgreSQL as much as most tests."""
    return []


@pytest.fixture
def postgres_url(postgres_server: Postgres, spare_databases: list[str]) -> Iterator[str]:
    """`postgresql://…` of an empty database that no other test has meanwhile."""
    name = spare_databases.pop() if spare_databases else new_name()
    yield postgres_server.create_database(name)
    if spare := emptied(postgres_server, name):
        spare_databases.append(spare)
    else:
        postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def tansu(parts_folder: Path) -> Iterator[Tansu]:
    """One Tansu for the whole run."""
    with Tansu(parts_folder) as broker:
        yield broker


@pytest.fixture(scope="session")
def broker(tansu: Tansu) -> str:
    """Bootstrap address of the run's broker, `127.0.0.1:<port>`."""
    return tansu.bootstrap


@pytest.fixture
def network(request: pytest.FixtureRequest) -> str:
    """A network name (topic namespace) that no other test uses."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:30].strip("-")
    return f"{readable}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Callable[..., Hospital]]:
    """Start FHIR servers: `hospital(resources, smart=True, algorithm="RS384")`; stopped after the test."""
    with contextlib.ExitStack() as stack:

        def start(
            resources: Iterable[Mapping[str, Any] | bytes] = (),
            *,
            name: str = "",
            smart: bool = False,
            algorithm: str = "ES384",
        ) -> Hospital:
            name = name or f"hospital-{uuid.uuid4().hex[:6]}"
            client = BackendClient.create(tmp_path / f"{name}.pem", algorithm=algorithm) if smart else None
            server = stack.enter_context(Hospital(tmp_path, name, client=client))
            server.load(line if isinstance(line, bytes) else json.dumps(line).encode() for line in resources)
            return server

        yield start
