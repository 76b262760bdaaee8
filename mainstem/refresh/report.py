"""What a load did."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mainstem.refresh.opening import Mode, Refresh
from mainstem.state import Load, add_up
from schemas.loads import Gap, TypeCounts


@dataclass
class Report:
    """What a load did."""

    load: str
    site: str
    mode: Mode
    status: Literal["completed", "partial", "failed"]
    types: dict[str, TypeCounts]
    watermarks: dict[str, datetime]
    gaps: list[Gap]
    published: int
    refused: dict[str, int] = field(default_factory=dict)
    """Changes of the site that cannot be sent, by reason: they wait for the record's next change."""
    notes: list[str] = field(default_factory=list)
    """What somebody at the site may want to know; stays there."""
    resumed: bool = False
    seconds: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)
    """Seconds by step."""

    @property
    def total(self) -> TypeCounts:
        """The types' figures added up."""
        return add_up(self.types.values())

    def as_json(self) -> dict[str, Any]:
        """For `--json` and the store."""
        return {
            "load": self.load,
            "site": self.site,
            "mode": self.mode,
            "status": self.status,
            "types": {name: counts.model_dump() for name, counts in self.types.items()},
            "total": self.total.model_dump(),
            "watermarks": {name: value.isoformat() for name, value in self.watermarks.items()},
            "gaps": [gap.model_dump(mode="json") for gap in self.gaps],
            "published": self.published,
            "refused": self.refused,
            "notes": self.notes,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 3),
            "shares": {step: round(seconds, 3) for step, seconds in self.shares.items()},
        }


def report_of(load: Load) -> Report:
    """The stored report of a load that ended."""
    stored = load.report or {}
    return Report(
        load.id,
        load.site,
        load.mode,
        stored["status"],
        {name: TypeCounts(**counts) for name, counts in stored["types"].items()},
        {name: datetime.fromisoformat(value) for name, value in stored["watermarks"].items()},
        [Gap(**gap) for gap in stored["gaps"]],
        stored["published"],
        stored.get("refused", {}),
        stored.get("notes", []),
    )


def verdict(refresh: Refresh, load_id: str) -> tuple[str, bool]:
    """One line on how a load ended and whether it is whole: what was read, how far the watermark got, what to do."""
    load = refresh.store.loads.get(load_id)
    if load.status != "completed":
        return f"{load.site}: load {load_id} is {load.status}; the watermarks did not move; a retry is safe", False
    report = report_of(load)
    total = report.total
    upto = min(report.watermarks.values(), default=None)
    line = (
        f"{load.site}: load {load_id} {report.status}: read {total.read}, mapped {total.mapped}, "
        f"skipped {sum(total.skipped.values())}, published {report.published}; "
        f"complete up to {upto.isoformat() if upto else 'nothing'}"
    )
    for reason, count in report.refused.items():
        line += f"; {count} changes cannot be sent: {reason}"
    for gap in report.gaps:
        line += f"; {gap.resource_type} is missing: {gap.reason}"
    return line + "; a retry is safe", report.status == "completed"
