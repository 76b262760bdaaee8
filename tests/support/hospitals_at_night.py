"""Many hospitals and their nights: which are sick and how, and workers that refresh them side by side and may be killed."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hospital_with_faults import Answered, Asked, FaultyHospital, serving
from network_under_test import Network

KIDS, READINGS, FLOOD = 3, 4, 1500
"""Patients of a hospital, its observations, and those of the one that floods."""
DEAD = "http://127.0.0.1:9/fhir"
TYPES = ["Patient", "Observation"]
WORKER = """
import json, pathlib, sys, time
from mainstem.config.logs import configure_once
from mainstem.config.settings import load_settings
from mainstem.refresh import open_refresh, run
from schemas.errors import MainstemError
configure_once()
settings = load_settings()
print("ready", flush=True)
for line in sys.stdin:
    began = time.process_time()
    try:
        with open_refresh(pathlib.Path(line.strip()), settings) as refresh:
            report = run(refresh)
        told = {"status": report.status}
    except MainstemError as exc:
        told = {"status": "failed", "cause": exc.cause, "fix": exc.fix, "code": int(exc.exit_code)}
    print(json.dumps({**told, "cpu": time.process_time() - began}), flush=True)
"""


@dataclass
class Hospitals:
    """A network's, by the names of their sites; `sick` says how each is that is."""

    lhn: Network
    served: dict[str, FaultyHospital] = field(default_factory=dict)
    sick: dict[str, str] = field(default_factory=dict)
    minutes: int = 0

    @property
    def healthy(self) -> list[str]:
        """Those whose night must go well: slow ones and the one that floods among them."""
        return [name for name in self.served if self.sick.get(name) not in ("down", "rejecting")]

    def stamp(self) -> str:
        """The hospitals' clock."""
        self.minutes += 1
        return f"{datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=self.minutes):%Y-%m-%dT%H:%M:%SZ}"

    def day(self, night: int) -> None:
        """A reading of each hospital is corrected, one comes new; the next night is beyond the overlap."""
        self.minutes += 600
        for hospital in self.served.values():
            hospital.put(self.reading(0, night), self.reading(100_000 + night, night))

    def reading(self, number: int, night: int) -> dict[str, Any]:
        """A weight."""
        return {
            "resourceType": "Observation",
            "id": f"w-{number}",
            "meta": {"lastUpdated": self.stamp()},
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "subject": {"reference": f"Patient/kid-{number % KIDS}"},
            "effectiveDateTime": "2026-02-01T10:00:00Z",
            "valueQuantity": {"value": 20 + night, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        }

    def mend(self) -> None:
        """All are well again."""
        for name, how in self.sick.items():
            self.served[name].faults.clear()
            if how == "down":
                path = self.path(name)
                path.write_text(path.read_text().replace(DEAD, self.served[name].base_url))
        self.sick.clear()

    def path(self, name: str) -> Path:
        """A site's file."""
        return self.lhn.folder / f"{name}.toml"

    def expected(self) -> int:
        """Records of all hospitals, as they are now."""
        return sum(len(each) for hospital in self.served.values() for each in hospital.resources.values())


def slow(_asked: Asked) -> Answered | None:
    """Answers after a while."""
    time.sleep(0.5)
    return None


def rejecting(asked: Asked) -> Answered | None:
    """Lets nobody read."""
    return None if asked.path == "metadata" else Answered({"resourceType": "OperationOutcome"}, 403)


FAULTS: Mapping[str, Callable[[Asked], Answered | None]] = {"slow": slow, "rejecting": rejecting}


@contextmanager
def hospitals(lhn: Network, count: int) -> Iterator[Hospitals]:
    """So many: of twenty two are down, two slow, one rejects; one of all floods."""
    ways = {0: "down", 5: "slow", 10: "down", 15: "slow", 7: "rejecting"}
    with ExitStack() as stack:
        found = Hospitals(lhn)
        for number in range(count):
            name, how = f"h{number:02}", "flooding" if number == 3 else ways.get(number % 20, "")
            served = stack.enter_context(serving(FaultyHospital()))
            for kid in range(KIDS):
                stamped = {"meta": {"lastUpdated": found.stamp()}}
                served.put({"resourceType": "Patient", "id": f"kid-{kid}", "birthDate": "2015-03-01", **stamped})
            many = FLOOD if how == "flooding" else READINGS
            served.resources["Observation"] = [found.reading(each, 0) for each in range(many)]
            served.faults += [FAULTS[how]] if how in FAULTS else []
            address = DEAD if how == "down" else served.base_url
            source = f'[fhir]\nbase_url = "{address}"\npage_size = 50\nrequests_per_second = 1000\n'
            lhn.site(name, source, road="search", types=TYPES, parallel=20 if how == "flooding" else 2)
            (lhn.folder / f"{name}.key").write_text(f"{number:064x}")
            (lhn.folder / f"{name}.key").chmod(0o600)
            path = found.path(name)
            path.write_text(path.read_text().replace("file:subject.key", f"file:{name}.key"))
            found.served[name] = served
            if how:
                found.sick[name] = how
        yield found


class Worker:
    """A process that refreshes one site after another, as a scheduler's worker does."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment, self._folder = dict(environment), folder
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env={**os.environ, **self._environment},
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def refresh(self, path: Path) -> dict[str, Any] | None:
        """What came of a site; None where the worker was killed in the middle: another stands in its place."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        if said:
            told: dict[str, Any] = json.loads(said)
            return told
        self.close()
        self._process = self._started()
        return None

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def night(workers: Sequence[Worker], paths: Sequence[Path], *, kill: Callable[[int], bool] = lambda done: False) -> Any:
    """All sites by all workers; `kill(done)`: whether a worker is killed once so many sites are done. Site → (told, seconds)."""
    waiting: queue.Queue[Path] = queue.Queue()
    for path in paths:
        waiting.put(path)
    found: dict[str, tuple[dict[str, Any], float]] = {}
    began = time.monotonic()

    def work(worker: Worker) -> None:
        while True:
            try:
                path = waiting.get_nowait()
            except queue.Empty:
                return
            timer = threading.Timer(0.15, worker.kill) if kill(len(found)) else None
            if timer:
                timer.start()
            told = worker.refresh(path)
            if timer:
                timer.cancel()
            if told is None:
                waiting.put(path)
            else:
                found[path.stem] = told, time.monotonic() - began

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
