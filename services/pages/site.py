"""What every page works with: the registry, the network's name, the clock, the templates."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import jinja2
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, Engine

from services.pages.wording import freshness, shown, title_of
from services.registry.database import reading


@dataclass
class PageSite:
    """The pages of one network's registry. `network` is shown as it is."""

    engine: Engine
    network: str
    clock: Callable[[], datetime]

    def registry(self) -> AbstractContextManager[Connection]:
        """A connection that reads. Raises OperatorError or TemporaryError, which become a page in words."""
        return reading(self.engine)

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
        made.filters |= {"shown": shown, "freshness": freshness, "title_of": title_of}
        return made
