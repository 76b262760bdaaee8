"""`mainstem measures`: the published measures: what they say, in words; and whether they give the published cases' results."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.terminal import (
    AsJson,
    json_lines,
    plain_table,
    print_json,
    progress_bars,
    read_settings,
    say,
    stdout,
)
from schemas.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.measures.compile.memory import InMemory, Period
    from services.measures.compile.people import Person
    from services.measures.declared import Definition, Populations
    from services.measures.language.truths import Truth
    from services.measures.valuesets import ValueSets
    from services.measures.verify import Case, Difference

group = typer.Typer(
    name="measures",
    help="The network's measures and the published ones: list, show, verify, explain, run, set aside.",
    no_args_is_help=True,
)

Measure = Annotated[str, typer.Argument(metavar="MEASURE", help="Such as CF-2 or CMS165.", show_default=False)]
Year = Annotated[int, typer.Option(help="The measurement year.")]
ValueSetFolder = Annotated[
    Path, typer.Option(help="Folder of FHIR ValueSets with their expansions (*.json).", show_default=False)
]
Published = Annotated[
    Path | None,
    typer.Option(help="Folder of FHIR ValueSets; published measures need them.", show_default=False),
]
NEWEST = 2026


@group.command("list", epilog="Example: mainstem measures list --json")
def list_measures(as_json: AsJson = False) -> None:
    """List the network's measures, those of its files that cannot be used, and the published measures."""
    from mainstem.commands.measures.own import faults, listed
    from services.measures.official import definition, names
    from services.measures.official.editions import EDITIONS

    own = list(listed())
    published = [
        {"id": one.id, "title": one.title, "years": list(EDITIONS), "direction": one.direction, "says": one.sentence}
        for one in (definition(name, NEWEST) for name in names())
    ]
    for fault in faults():
        say(f"services/measures/library/{fault}", err=True)
    if as_json:
        print_json([*own, *published])
        return

    table = plain_table("measure", "version", "title", "better")
    for row in (*own, *published):
        version = row.get("version") or ", ".join(map(str, EDITIONS))
        better = "higher" if row["direction"] == "increase" else "lower"
        table.add_row(str(row["id"]), str(version), str(row["title"]), better)
    stdout().print(table)


@group.command(epilog="Example: mainstem measures show CMS165 --year 2026")
def show(measure: Measure, year: Year = NEWEST) -> None:
    """Print a measure's definition in words, made from what is evaluated, with the value sets it needs."""
    from mainstem.commands.measures.own import own_measure, shown
    from services.measures.compile.words import meanings, outline
    from services.measures.language.truths import AllOf
    from services.measures.official import definition

    if (ours := own_measure(measure)) is not None:
        for line in shown(ours):
            stdout().print(line, soft_wrap=True, highlight=False)
        return
    one = definition(measure, year)
    say(f"{one.id} {year}: {one.title}")
    say(one.sentence)
    for source in one.sources:
        say(f"source: {source}")
    for difference in one.differs:
        say(f"not as published: {difference}")
    for number, populations in enumerate(one.groups, start=1):
        if len(one.groups) > 1:
            say(f"rate {number}")
        for code, condition in populations.named().items():
            say(f"  {code.replace('-', ' ')}")
            for line in outline(condition, 2):
                stdout().print(line, soft_wrap=True)
    conditions = AllOf(tuple(each for populations in one.groups for each in populations.named().values()))
    for name, meaning in meanings(conditions).items():
        stdout().print(f"{name}: {meaning}", soft_wrap=True)


@group.command(
    epilog="Example: mainstem measures verify CMS165 cases/2026/CMS165 --valuesets cases/2026/valuesets --year 2026"
)
def verify(
    measure: Measure,
    folder: Annotated[
        Path, typer.Argument(help="Folder of cases (<case>/bundle.ndjson) with expected.json.", show_default=False)
    ],
    valuesets: ValueSetFolder,
    year: Year = NEWEST,
    as_json: AsJson = False,
) -> None:
    """Evaluate published cases, mapped by our own mapping, and compare with the published counts. Exit code 1 where any differs."""
    from mainstem.commands.measures.cases import CaseMapper, of_other_years, say_cases
    from mainstem.commands.measures.own import own_measure
    from services.measures.verify import Verified, not_expected, read_cases
    from services.measures.verify import verify as compare

    if own_measure(measure) is not None:
        raise OperatorError(
            f"{measure} is a measure of the network: no cases are published of it",
            "Give a published one, as `mainstem measures list` names them; `explain` tells of one patient's file.",
        )
    definition, evaluator = _compiled(measure, year, valuesets)
    cases, mapper = read_cases(folder), CaseMapper()
    found: list[tuple[Case, list[Difference]]] = []
    with progress_bars(quiet=as_json) as progress:
        for one in compare(definition, year, cases, evaluator, mapper.records):
            found.append(one)
            progress("verify", definition.id, len(found))
    mapper.demand_whole()
    differences = tuple(difference for _, some in found for difference in some)
    verified = Verified(definition.id, year, tuple(case.name for case in cases), differences)
    if as_json:
        print_json(verified.as_json())
    else:
        say_cases(found, definition, evaluator)
    mapper.say_what_was_left_out()
    if others := not_expected(folder, cases):
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        say(f"not compared, since expected.json says nothing of it: {others[0]}{more}", err=True)
    if differences:
        failed = [case for case, some in found if some]
        for hint in of_other_years(failed, year, lambda other: _compiled(measure, other, valuesets)):
            say(hint, err=True)
        raise typer.Exit(ExitCode.DEFECT)


@group.command(epilog="Example: mainstem measures explain CMS122 --subject s-19c2… --valuesets valuesets --year 2026")
def explain(
    measure: Measure,
    valuesets: Published = None,
    resources: Annotated[
        Path | None, typer.Argument(help="NDJSON of all FHIR resources of one patient.", show_default=False)
    ] = None,
    subject: Annotated[str | None, typer.Option(help="A subject of the registry, in place of a file.")] = None,
    year: Year = NEWEST,
    month: Annotated[str | None, typer.Option(help="Of the network's measures: a month, 2026-10.")] = None,
) -> None:
    """Say why a person is in or out of each population: every step, what came of it, the records it stands on."""
    from mainstem.commands.measures.cases import CaseMapper
    from mainstem.commands.measures.own import explained, own_measure
    from services.measures.compile.people import Person
    from services.measures.compile.reasons import reason

    if (resources is None) == (subject is None):
        raise OperatorError("one person is explained", "Give a file of FHIR resources, or --subject.")
    mapper = CaseMapper()
    person = Person(mapper.records(resources)) if resources is not None else _known_person(str(subject))
    if (ours := own_measure(measure)) is not None:
        for line in explained(ours, person, month, year):
            stdout().print(line, soft_wrap=True, highlight=False)
        mapper.say_what_was_left_out()
        return
    definition, evaluator = _compiled(measure, year, valuesets)
    for populations in definition.groups:
        for code, condition in populations.named().items():
            say(f"{code.replace('-', ' ')}:")
            for line in reason(evaluator, condition, person).lines(1):
                stdout().print(line, soft_wrap=True)
    mapper.say_what_was_left_out()


def _known_person(subject: str) -> "Person":
    from services.measures.compile.from_registry import person_of

    with _registry() as connection:
        found = person_of(connection, subject)
    if found is None:
        raise OperatorError("the registry knows no such subject", "Take its pseudonym from a report or an event: s-…")
    return found


@group.command(epilog="Example: mainstem measures run CMS165 --valuesets valuesets --year 2026 --report summary")
def run(
    measure: Measure,
    valuesets: Published = None,
    year: Year = NEWEST,
    by: Annotated[
        str, typer.Option(help="Of the network's measures: month, quarter or year.", show_default=True)
    ] = "month",
    stratum: Annotated[
        str | None, typer.Option(help="Of the network's measures: sex, race, ethnicity or language.")
    ] = None,
    report: Annotated[
        str | None, typer.Option(help="FHIR MeasureReports as NDJSON: summary, subject-list or individual.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count a measure over the registry, by site: who is in, left out, met it; and of whom it is unknown whether they are in."""
    from mainstem.commands.measures.own import own_measure
    from services.measures.compile.sql import InSql
    from services.measures.official import definition

    ours = own_measure(measure)
    _demand_fitting(measure, own=ours is not None, report=report, stratum=stratum, by=by)
    if ours is not None:
        _run_own(ours, by, year, stratum, report, as_json)
        return
    one, sets = definition(measure, year), _value_sets(valuesets)
    with _registry() as connection, progress_bars(quiet=as_json or report is not None) as progress:
        evaluator = InSql(connection, _year(year), sets)
        if report is not None:
            _print_reports(one, year, report, [list(evaluator.answers(_of_members(group))) for group in one.groups])
            return
        rows = []
        for number, group in enumerate(one.groups, start=1):
            for stratum_named, truths in _of_strata(group).items():
                named = {"stratum": stratum_named} if group.strata else {}
                about = {"measure": one.id, "year": year, "rate": number, **named}
                rows += [about | row for row in evaluator.by_site(truths)]
            progress("run", one.id, number)
        evaluator.close()
    if as_json:
        print_json(rows)
    else:
        _print_counts(rows)


@group.command(
    epilog="Example: mainstem measures set-aside CF-2 --subject s-19c2… --reason other-care --until 2027-06-30 --by clinician"
)
def set_aside(
    measure: Measure,
    subject: Annotated[str, typer.Option(help="The person's pseudonym.", show_default=False)],
    until: Annotated[datetime, typer.Option(help="The last day.", formats=["%Y-%m-%d"], show_default=False)],
    reason: Annotated[
        str, typer.Option(help="other-care, other-diagnosis, declined, trial, data-wrong or too-ill.")
    ] = "other-care",
    by: Annotated[str, typer.Option(help="Role of who decides it.")] = "clinician",
) -> None:
    """Exclude a person from one of the network's measures for a time; it is counted and shown, and ends by itself."""
    from services.measures.evaluate.aside import put_aside, require_person
    from services.measures.evaluate.counting_now import counting_now, require_concerned
    from services.measures.keeping.noting import note_person

    ours = _own(measure)
    with _registry() as connection:
        now = datetime.now(UTC)
        found = counting_now(connection, ours, require_person(connection, subject), subject, now.date())
        require_concerned(ours, found, found.why)
        put_aside(connection, ours, subject, reason=reason, since=now.date(), until=until.date(), by=by, at=now)
        note_person(connection, subject)
        connection.commit()
    say(f"set aside from {ours.id} until {until.date()}: {reason}")
    if not found.counted:
        say(f"it does not count them now, so this changes nothing yet: {found.why}")


@group.command(epilog="Example: mainstem measures take-back CF-2 --subject s-19c2…")
def take_back(
    measure: Measure,
    subject: Annotated[str, typer.Option(help="The person's pseudonym.", show_default=False)],
    by: Annotated[str, typer.Option(help="Role of who takes it back.")] = "clinician",
) -> None:
    """End what sets a person aside from one of the network's measures: they count again as if it had never been."""
    from services.measures.evaluate.aside import take_back as end
    from services.measures.keeping.noting import note_person

    ours = _own(measure)
    with _registry() as connection:
        ended = end(connection, ours, subject, by=by, at=datetime.now(UTC))
        note_person(connection, subject)
        connection.commit()
    say(f"{ended} ended" if ended else "nothing set that person aside")


def _own(name: str) -> Any:
    from mainstem.commands.measures.own import own_measure

    found = own_measure(name)
    if found is None:
        raise OperatorError(f"{name} is none of the network's measures", "`mainstem measures list` names them.")
    return found


def _of_members(group: "Populations") -> "dict[str, Truth]":
    """What a report says of each person."""
    from services.measures.language.truths import Surely
    from services.measures.report import STRATUM

    strata: dict[str, Truth] = {f"{STRATUM}{each.name}": Surely(each) for each in group.strata}
    return group.members() | {"unknown": group.in_doubt()} | strata


def _of_strata(group: "Populations") -> "dict[str, dict[str, Truth]]":
    """What is counted: of everybody, and of each stratum by its name."""
    from services.measures.language.truths import all_of

    everybody, doubt = group.members(), group.in_doubt()
    strata = {each.name: group.of_stratum(each) | {"unknown": all_of(doubt, each)} for each in group.strata}
    return {"everybody": everybody | {"unknown": doubt}} | strata


REPORTS = ("summary", "subject-list", "individual")


@contextmanager
def _registry() -> "Iterator[Connection]":
    """The registry's database, in a transaction of its own that leaves nothing behind."""
    from services.registry.database import open_registry

    engine = open_registry(read_settings().registry_url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _run_own(ours: Any, by: str, year: int, stratum: str | None, report: str | None, as_json: bool) -> None:
    from mainstem.commands.measures.own import counted, reported

    with _registry() as connection:
        if report is not None:
            _print_lines(reported(connection, ours, by, year, report))
            return
        rows = counted(connection, ours, by, year, stratum)
    if as_json:
        print_json(rows)
    else:
        _print_counts(rows)


def _demand_fitting(measure: str, *, own: bool, report: str | None, stratum: str | None, by: str) -> None:
    """What is asked for is what such a measure is counted by: nothing is left out in silence."""
    if report not in (None, *REPORTS):
        raise OperatorError(f"no kind of report '{report}'", f"Give one of {', '.join(REPORTS)}.")
    if report is not None and stratum is not None:
        raise OperatorError(
            "a report is made of everybody: --stratum is not for it", "Leave --stratum or --report out."
        )
    if not own and (stratum is not None or by != "month"):
        raise OperatorError(
            f"{measure} is a published measure, counted by calendar year and site: --by and --stratum are the network's measures'",
            "Leave --by and --stratum out, and name the year with --year.",
        )


def _print_reports(definition: "Definition", year: int, kind: Any, rates: list[list[dict[str, Any]]]) -> None:
    from services.measures.report import reports

    now = datetime.now(UTC).isoformat(timespec="seconds")
    _print_lines(reports(definition, _year(year), now, rates, kind))


def _print_lines(reports: Iterator[dict[str, Any]]) -> None:
    import json

    with json_lines() as out:
        for one in reports:
            out.write(json.dumps(one, separators=(",", ":")).encode() + b"\n")


def _print_counts(rows: list[dict[str, Any]]) -> None:

    if not rows:
        say("no person in the registry")
        return
    names = [name for name in rows[0] if name not in ("measure", "year")]
    table = plain_table(*(name.replace("-", " ") for name in names))
    for row in rows:
        table.add_row(*(str(row[name]) for name in names))
    stdout().print(table)


def _year(year: int) -> "Period":
    from services.measures.compile.memory import Period

    return Period(date(year, 1, 1), date(year, 12, 31))


def _compiled(measure: str, year: int, valuesets: Path | None) -> "tuple[Definition, InMemory]":
    from services.measures.compile.memory import InMemory
    from services.measures.official import definition

    return definition(measure, year), InMemory(_year(year), _value_sets(valuesets))


def _value_sets(folder: Path | None) -> "ValueSets":
    """With code systems named as our mapping names them."""
    if folder is None:
        raise OperatorError("a published measure needs value sets", "Give --valuesets: a folder of FHIR ValueSets.")
    from services.measures.valuesets import load_value_sets
    from transforms.codes.systems import repaired_system

    return load_value_sets(folder, system=lambda uri: repaired_system(uri) or uri)
