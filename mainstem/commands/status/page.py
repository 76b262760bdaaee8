"""The state of the sites as a page: one file that needs nothing beside it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mainstem.commands.quality.page import document, linked, text, wide
from mainstem.commands.status import REFUSED, fresh_until, told_attempt, told_pace
from mainstem.commands.terminal import write_file
from mainstem.state.site_status import SiteStatus
from schemas.loads import Gap, by_words
from schemas.runbooks import of_gap, of_reason

HEADS = ("type", "fresh until (UTC)", "records", "waiting", "refused", "gaps", "quarantine")


def write_page(path: Path, found: Sequence[SiteStatus], docs: str = "") -> None:
    """With links to what answers a code, where it is said where `docs` are. Raises OperatorError where the file cannot be written."""
    unwell = [each.site for each in found if each.needs_attention]
    need = "needs" if len(unwell) == 1 else "need"
    summary = f"{', '.join(unwell)} {need} attention" if unwell else "Nothing needs attention"
    made = f"as of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    write_file(
        path, document("State of the sites", f"{summary}; {made}", "".join(_section(each, docs) for each in found))
    )


def _section(found: SiteStatus, docs: str) -> str:
    mark = "failed" if found.needs_attention else "passed"
    next_load = f"{found.next_load:%Y-%m-%d %H:%M} UTC" if found.next_load else "not known"
    pace = f"Last whole load took: {text(told_pace(found))}. " if found.pace else ""
    lines = [
        f'<section class="{mark}"><h2>{text(found.site)}: {text(found.state)}</h2>',
        f"<p>Last attempt: {text(told_attempt(found))}. {pace}Next load: {text(next_load)}.</p>",
        *(_trouble(*each) for each in found.troubles),
        *(_trouble(f"missing {', '.join(names)}: {gap.reason}", gap.fix, gap.who) for names, gap in _gaps(found)),
    ]
    if refused := sum(row.refused for row in found.rows):
        lines.append(f"<p>{refused:,} changes refused: {text(REFUSED)}</p>")
    return "".join([*lines, _table(found, docs), "</section>"])


def _gaps(found: SiteStatus) -> list[tuple[list[str], Gap]]:
    return by_words((row.resource_type, gap) for row in found.rows for gap in row.gaps)


def _trouble(cause: str, fix: str, who: str) -> str:
    return f"<p>{text(cause)}<br><strong>What to do</strong> ({text(who)}): {text(fix)}</p>"


def _table(found: SiteStatus, docs: str) -> str:
    now, rows = datetime.now(UTC), [row for row in found.rows if not row.silent]
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    lines = []
    for row in rows:
        quarantine = ", ".join(
            f"{count:,} {linked(reason, of_reason(reason), docs)}" for reason, count in sorted(row.quarantined.items())
        )
        gaps = ", ".join(linked(cause, of_gap(cause), docs) for cause in dict.fromkeys(gap.cause for gap in row.gaps))
        cells = map(text, (fresh_until(row, now), f"{row.records:,}", f"{row.pending:,}", f"{row.refused:,}"))
        body = "".join(f"<td>{cell}</td>" for cell in (*cells, gaps or "–", quarantine or "–"))
        lines.append(f'<tr><th scope="row">{text(row.resource_type)}</th>{body}</tr>')
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return wide(table, f"Types of {found.site}")
