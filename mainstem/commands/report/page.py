"""The report as a page: one file that needs nothing beside it, no JavaScript, and prints well."""

from importlib.resources import files

from mainstem.commands.report.gathering import DataReport
from schemas.errors import OperatorError
from schemas.runbooks import found_at, of_gap, of_reason

MOST = 2_000
"""Lines that the page shows; the CSV file holds all."""


def page(report: DataReport, docs: str = "") -> str:
    """HTML, its codes with links to what answers them where it is said where `docs` are served. Raises OperatorError where the part of Mainstem that makes pages is not installed."""
    try:
        import jinja2
    except ImportError as exc:
        raise OperatorError(
            "pages need Jinja2, which is not installed", "pip install 'mainstem[services]', or take --csv."
        ) from exc
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("services.pages").joinpath("static/page.css").read_text("utf-8")
    return environment.get_template("report.html").render(
        report=report,
        style=style,
        most=MOST,
        gap_page=lambda cause: docs and cause and found_at(of_gap(cause), docs),
        reason_page=lambda reason: docs and found_at(of_reason(reason), docs),
    )
