"""What a load did, as figures for a monitor: read, mapped and rejected, by type and reason; how long it took."""

from mainstem import telemetry
from mainstem.state import Load
from schemas.loads import LoadReport


def tell_figures(load: Load, report: LoadReport) -> None:
    """Of a load that is complete."""
    if not telemetry.is_on():
        return
    for name, counts in report.types.items():
        labels = {"site": report.site, "type": name}
        telemetry.count("records.read", counts.read, **labels)
        telemetry.count("records.mapped", counts.mapped, **labels)
        for reason, rejected in counts.skipped.items():
            telemetry.count("records.rejected", rejected, **labels, reason=reason)
    if load.ended is not None:
        seconds = (load.ended - load.started).total_seconds()
        telemetry.measured("load.seconds", seconds, site=report.site)
        telemetry.whole(report.load, seconds, site=report.site, status=report.status)
