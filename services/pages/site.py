"""What every page works with: the registry, the network's name, the clock, the templates."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import jinja2
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, Engine

from mainstem.database import translated
from services.pages.wording import freshness, percent, title_of


@dataclass
class PageSite:
    """The pages of one network's registry. `network` is shown as it is."""

    engine: Engine
    network: str
    clock: Callable[[], datetime]

    @contextmanager
    def registry(self) -> Iterator[Connection]:
        """A connection that reads. Raises OperatorError or TemporaryError, which become a page in words."""
        with translated(self.engine.url), self.engine.connect() as connection:
            yield connection

    def render(self, template: str, *, status: int = 200, **shown: object) -> HTMLResponse:
        """A page from a file of `templates/`."""
        html = self._templates.get_template(template).render(network=self.network, **shown)
        return HTMLResponse(html, status_code=status)

    @cached_property
    def _templates(self) -> jinja2.Environment:
        made = jinja2.Environment(
            loader=jinja2.PackageLoader("services.pages"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters |= {"percent": percent, "freshness": freshness, "title_of": title_of}
        return made
