"""What a load did, in a line."""

from collections.abc import Iterable

from mainstem.refresh.opening import Refresh
from mainstem.state import Load
from schemas.errors import OperatorError
from schemas.loads import Gap, LoadQuality, LoadReport, TypeCounts, by_words


def report_of(load: Load) -> LoadReport:
    """The report of a load that ended. Raises OperatorError where it has none."""
    if load.report is None:
        raise OperatorError(f"load {load.id} is {load.status} and has no report", "See `mainstem status`.")
    return load.report


def verdict(refresh: Refresh, load_id: str) -> tuple[str, bool]:
    """One line on how a load ended and whether it is whole: what was read, how far the watermark got, what to do."""
    load = refresh.store.loads.get(load_id)
    missing = load.report.gaps if load.report else []
    if load.status != "completed":
        line = f"{load.site}: load {load_id} is {load.status}; the watermarks did not move"
        return "; ".join([line, *missing_in_words(missing), "a retry is safe"]), False
    report = report_of(load)
    total = report.total
    upto = min(report.watermarks.values(), default=None)
    line = (
        f"{load.site}: load {load_id} {report.status}: read {total.read}, mapped {total.mapped}, "
        f"skipped {sum(total.skipped.values())}, published {report.published}; "
        + (_of_replay(report) if report.replay else f"complete up to {upto.isoformat() if upto else 'nothing'}")
    )
    for reason, count in report.refused.items():
        line += f"; {count} changes cannot be sent: {reason}"
    told = [line, *missing_in_words(missing), "a retry is safe", *_noticed(total), *implausible(report.quality)]
    return "; ".join(told), report.status == "completed"


def _of_replay(report: LoadReport) -> str:
    """What a replay is, and what it left as it was."""
    return "; ".join([f"{report.replay} of what was landed, no watermark moves by it", *report.notes])


def _noticed(total: TypeCounts) -> list[str]:
    """What was noticed, counted as the skipped are."""
    of = f" ({len(total.unmapped)} codes without a meaning)" if total.unmapped else ""
    counted = ", ".join(f"{count} × {flag}" for flag, count in sorted(total.flags.items()))
    return [f"noticed {counted}{of}"] if counted else []


def implausible(quality: LoadQuality | None) -> list[str]:
    """What was found of the persons whom a load touched, and of how many of them where not all were judged."""
    if quality is None:
        return []
    counted = ", ".join(f"{count} × {name}" for name, count in sorted(quality.found.items()))
    told = [f"implausible {counted}"] if counted else []
    if quality.judged < quality.touched:
        told.append(f"{quality.judged} of {quality.touched} persons touched were judged")
    return [f"{', '.join(told)} (see `mainstem quality`)"] if told else []


def missing_in_words(gaps: Iterable[Gap]) -> list[str]:
    """Why, what to do and who can do it, once for the types that it is the same for."""
    return [
        f"missing {', '.join(names)}: {gap.reason}. {gap.fix} ({gap.who})"
        for names, gap in by_words((gap.resource_type, gap) for gap in gaps)
    ]
