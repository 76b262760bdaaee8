"""What a check found as a page to mail: one file, no patient data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mainstem.check import Finding
from mainstem.check.finding import alike
from mainstem.commands.quality.page import document, text
from mainstem.commands.terminal import write_file


def write_page(path: Path, asked: str, findings: Sequence[Finding]) -> None:
    """The answers to what was asked. Raises OperatorError where the file cannot be written."""
    failed = sum(not finding.ok for finding in findings)
    summary = (
        f"{failed} of {len(findings)} findings {'needs' if failed == 1 else 'need'} somebody"
        if failed
        else f"All {len(findings)} findings are well"
    )
    made = f"checked {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    write_file(path, document(asked, f"{summary}; {made}", "".join(map(_section, *zip(*alike(findings), strict=True)))))


def _section(names: list[str], told: Finding) -> str:
    mark, word = ("passed", "well") if told.ok else ("failed", "to do")
    done = f"<p><strong>What to do</strong> ({text(told.who)}): {text(told.fix)}</p>" if not told.ok else ""
    return f'<section class="{mark}"><h2>{text(", ".join(names))}: {word}</h2><p>{text(told.what)}</p>{done}</section>'
