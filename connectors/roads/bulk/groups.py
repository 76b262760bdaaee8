"""The exports of a site: one, or one of each of its Groups, where the vendor limits how many patients a Group may have.

One after the other: many servers allow one export a client. The Group whose job the server still works on comes first.
"""

from collections.abc import Sequence
from dataclasses import replace

from connectors.landing import Landing
from connectors.outside.times import newest
from connectors.pulled import EVERY_TYPE, EXPORT, Pulled, Shortfall
from connectors.roads.bulk.export import ExportCursor, export_one
from connectors.roads.bulk.jobs import JOBS, Kept
from connectors.source import Source, Wanted
from schemas.errors import MainstemError, TemporaryError


def pull_export(source: Source, wanted: Wanted) -> tuple[Pulled, list[str]]:
    """All types of the site that the server exports, into the landing folder, as one unit; and the types it does not.

    A Group that fails costs the watermarks, not what the others gave. Raises what the first raises where none gives anything.
    """
    groups = source.fhir.groups
    if len(groups) < 2:
        return export_one(source, wanted)
    given: list[tuple[Pulled, list[str]]] = []
    failed: list[tuple[str, MainstemError]] = []
    for group in _in_turn(groups, wanted.landing):
        try:
            given.append(_export(source, wanted, group))
        except MainstemError as exc:
            failed.append((group, exc))
            if isinstance(exc, TemporaryError):  # its job is kept, and stands in the way of the others
                break
    if not given:
        raise failed[0][1]
    short = [
        Shortfall(EVERY_TYPE, exc.gap, f"the export of Group {group}: {exc.cause}", exc.fix, exc.who)
        for group, exc in failed
    ]
    not_exported = dict.fromkeys(name for _, names in given for name in names)
    return _together([pulled for pulled, _ in given], short), list(not_exported)


def _in_turn(groups: Sequence[str], landing: Landing) -> list[str]:
    kept = landing.of_site().cursor(JOBS, Kept)
    begun = kept.job.asked.group if kept is not None and kept.job is not None else None
    return sorted(groups, key=lambda group: group != begun)


def _export(source: Source, wanted: Wanted, group: str) -> tuple[Pulled, list[str]]:
    groups, numbers = source.fhir.groups, dict[str, int]()
    for number in range(len(groups)):
        if (cursor := wanted.landing.cursor(_key(number), ExportCursor)) is not None:
            numbers = {name: max(numbers.get(name, 0), count) for name, count in (numbers | cursor.numbers).items()}
    fhir = source.fhir.model_copy(update={"group": group})
    one = replace(source, site=source.site.model_copy(update={"fhir": fhir}))
    return export_one(one, wanted, _key(groups.index(group)), numbers)


def _key(number: int) -> str:
    return f"{EXPORT}-{number + 1}"


def _together(each: Sequence[Pulled], short: list[Shortfall]) -> Pulled:
    types: dict[str, int] = {}
    for pulled in each:
        for name, count in pulled.types.items():
            types[name] = types.get(name, 0) + count
    return Pulled(
        unit=EXPORT,
        files=[name for pulled in each for name in pulled.files],
        resources=sum(types.values()),
        types=types,
        pages=sum(pulled.pages for pulled in each),
        bytes=sum(pulled.bytes for pulled in each),
        messages=sum(pulled.messages for pulled in each),
        short=[*(fault for pulled in each for fault in pulled.short), *short],
        notes=list(dict.fromkeys(note for pulled in each for note in pulled.notes)),
        newest=newest(*(pulled.newest for pulled in each)),
        as_of=min(pulled.as_of for pulled in each),
    )
