"""Each message of the catalogue has a test that has its words; what none has yet is named here, with why."""

import re
from functools import cache
from pathlib import Path

import pytest

from mainstem.commands.messages.catalogue import FILLED, Message, catalogue

pytestmark = pytest.mark.slow  # the code of all rooms and of all tests is read
TESTS = Path(__file__).parents[1]
NOT_COUNTED = (Path(__file__).name, "test_messages.py")
RUN = 3
"""So many words in a row tell a message: fewer where it has no more between what is filled in."""
CLOSED_LISTS = ("schemas/gaps.py", "schemas/problems.py", "schemas/flags.py", "transforms/quality")
"""Told by their names, which tests compare: as they are, or by the name of the enumeration's member."""
DATA = (".py", ".json", ".ndjson", ".csv", ".txt", ".md", ".toml")
LARGEST = 400_000

DEMO = "of the demo's own parts, when one of them ends too early or changes travel that nobody made: no test breaks them so"
BROKER = "needs a broker with an authorizer, or one that fails while a producer is closed"
GUARD = "a guard: an earlier check refuses what would lead there"
SERVER = "needs an answer that no server of the tests gives"
NONE_YET = "no test names it yet"
FORM = "said by a form of the pages to whoever sends it without the page's own limits"
UNMET = {
    "connectors/client/fhir_client.py: …: … answers with JSON that is nested": SERVER,
    "connectors/client/fhir_client.py: …: … redirects to no address": SERVER,
    "connectors/client/keys.py: the private key of client … (…) …": "each of its ends has a test: what the key is instead",
    "connectors/fan_out.py: …: the server wants each patient named": SERVER,
    "connectors/roads/bulk/export.py: the export's manifest names more than": SERVER,
    "connectors/rosters.py: the cohort: the server ignores": SERVER,
    "connectors/rosters.py: the cohort is empty: the search": SERVER,
    "mainstem/check/folder.py: no folder is named": GUARD,
    "mainstem/check/meaning.py: …; … different codes have no meaning": SERVER,
    "mainstem/demo/airflow.py: Airflow cannot read": DEMO,
    "mainstem/demo/day_two.py: Other events travelled": DEMO,
    "mainstem/demo/embedded/postgres.py: PostgreSQL's initdb failed": DEMO,
    "mainstem/demo/embedded/tansu.py: There is no Tansu broker": DEMO,
    "mainstem/demo/populations.py: Synthea did not finish": DEMO,
    "mainstem/demo/refreshing.py: …: the load ended": DEMO,
    "mainstem/demo/refreshing.py: The DAG runs take too long": DEMO,
    "mainstem/demo/refreshing.py: The registry has ended": DEMO,
    "mainstem/demo/second_day.py: … events travelled": DEMO,
    "mainstem/kafka/acls.py: Kafka refused": BROKER,
    "mainstem/kafka/acls.py: Kafka keeps no ACLs": BROKER,
    "mainstem/kafka/record_batches.py: a Kafka producer that failed": BROKER,
    "mainstem/kafka/topics.py: … has … partitions, and": BROKER,
    "mainstem/refresh/attempt.py: it was stopped": "kept with the attempt; the tests of attempts hold its exit code",
    "services/people/amendments.py: this is decided already": FORM,
    "services/people/amendments.py: it takes": FORM,
    "services/people/contests.py: this one waits for no answer": FORM,
    "services/people/ideas.py: an idea needs": FORM,
    "services/people/issues.py: an issue takes": FORM,
    "services/people/issues.py: an answer takes": FORM,
    "services/research/extracting.py: fewer than": FORM,
    "dags/declared.py: …: schedule: not a cron expression": "needs Airflow in the test's own process",
    "schemas/gaps.py: end-not-proven": NONE_YET,
    "schemas/gaps.py: export-error": NONE_YET,
    "schemas/gaps.py: not-whole": NONE_YET,
    "schemas/flags.py: loinc-form": NONE_YET,
    "schemas/flags.py: snomed-check-digit": NONE_YET,
    "schemas/flags.py: rate-unit-unknown": NONE_YET,
    "schemas/flags.py: supply-unit-unknown": NONE_YET,
    "schemas/flags.py: several:report-time": NONE_YET,
}  # fmt: skip
"""Beginning of file and words → why no test makes it."""


@cache
def words_of_tests() -> tuple[frozenset[tuple[str, ...]], frozenset[str]]:
    """Runs of words in what tests say, and every name there."""
    runs, names = set[tuple[str, ...]](), set[str]()
    for path in TESTS.rglob("*"):
        if path.suffix in DATA and path.name not in NOT_COUNTED and path.stat().st_size < LARGEST:
            text = path.read_text(encoding="utf-8", errors="replace")
            names.update(re.findall(r"[\w][\w:.\[\]<>-]*", text))
            if path.suffix == ".py":
                words = _words(text)
                for length in range(1, RUN + 1):
                    runs.update(zip(*(words[start:] for start in range(length)), strict=False))
    return frozenset(runs), frozenset(names)


def _words(text: str) -> list[str]:
    return [word for each in WORD.findall(text) if (word := each.strip(".:|“”"))]


WORD = re.compile(r"[^\s\"'`()\[\]{},;]+")


def _is_met(message: Message) -> bool:
    runs, names = words_of_tests()
    if message.where in CLOSED_LISTS:
        return _is_named(message.cause.partition(": ")[0], names)
    parts = [_words(part) for way in message.cause.split(" / ") for part in way.split(FILLED)]
    length = min(RUN, max(map(len, parts), default=0))
    return any(tuple(part[start : start + length]) in runs for part in parts for start in range(len(part) - length + 1))


def _is_named(name: str, names: frozenset[str]) -> bool:
    if "<" in name:
        form = re.compile(re.sub(r"<\w+>", r".+", name))
        return any(map(form.fullmatch, names))
    forms = {name, name.removeprefix("implausible-"), name.removeprefix("several:")}
    return bool(forms & names) or any(each.endswith(name.upper().replace("-", "_")) for each in names)


def _named(message: Message) -> str | None:
    told = f"{message.where}: {message.cause}"
    return next((each for each in UNMET if told.startswith(each)), None)


def test_each_message_has_a_test_or_a_reason() -> None:
    """A new message without a test is told here, with its place."""
    unmet = [f"{each.where}: {each.cause}" for each in catalogue() if not _is_met(each) and _named(each) is None]
    assert unmet == []


def test_what_is_named_is_without_a_test_still() -> None:
    """A reason that is out of date goes."""
    assert UNMET.keys() - {_named(each) for each in catalogue() if not _is_met(each)} == set()


@pytest.mark.parametrize("words", ["", "aaaa bbbb cccc", "no such"])
def test_words_that_no_test_says_are_no_test(words: str) -> None:
    """The rule can fail."""
    message = Message(f"{FILLED}: {words} qqqq xxxx", "Do it.", "network", catalogue()[0].exit_code, "here.py")
    assert not _is_met(message)
