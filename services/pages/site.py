"""What every page works with: the registry, the network's name, the clock, the gate, the templates."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, Engine

from services.access.demo import DemoEntrance
from services.access.entrance import Visit
from services.access.gate import FORM_TOKEN, Gate
from services.access.viewers import Role
from services.measures.declared import Measure
from services.pages.charting import described
from services.pages.counted import Memory, state_of
from services.pages.explaining import many
from services.pages.glossary import Glossary
from services.pages.navigation import entries_for
from services.pages.remembered import Remembered
from services.pages.results import Results, results_of
from services.pages.wording import (
    ASSURANCES,
    VARIATIONS,
    coded,
    day,
    freshness,
    lasting,
    letter_of,
    set_aside_said,
    shown,
    title_of,
)
from services.people.voices import Form
from services.registry.across import Across, compare
from services.registry.across.counting.tables import counted
from services.registry.database import reading, writing


@dataclass
class PageSite:
    """The pages of one network's registry. `network` is shown as it is."""

    engine: Engine
    network: str
    clock: Callable[[], datetime]
    gate: Gate
    memory: Memory = field(default_factory=Memory)
    beside: Remembered[Across] = field(default_factory=Remembered)
    home_address: str = ""
    """Where families reach their own page."""
    age_policy: Path | None = None
    """What guardians see by age; the one that ships where absent."""
    own_form: Form | None = None
    """What the network asks families beside, or instead of, what ships."""

    def results(self, connection: Connection, measure: Measure) -> Results:
        """A measure's results, as far as they are remembered."""
        return results_of(connection, measure, self.network, self.clock(), memory=self.memory)

    def across(self) -> Across:
        """The sites' data beside each other, as far as that is remembered."""

        def compared() -> Across:
            with self.registry() as connection:
                return compare(counted(connection))

        with self.registry() as connection:
            state = state_of(connection)
        return self.beside.of("", compared, state)

    def registry(self) -> AbstractContextManager[Connection]:
        """A connection that reads. Raises OperatorError or TemporaryError, which become a page in words."""
        return reading(self.engine)

    def saying(self) -> AbstractContextManager[Connection]:
        """One transaction for what people say. Raises OperatorError or TemporaryError."""
        return writing(self.engine)

    def render(self, template: str, request: Request, *, status: int = 200, **shown: object) -> HTMLResponse:
        """A page from a file of `templates/`, in the frame that whoever looks is due."""
        visit, words = getattr(request.state, "visit", None), Glossary()
        frame = {
            "network": self.network,
            "visit": visit,
            "entries": entries_for(visit.viewer) if isinstance(visit, Visit) else [],
            "here": request.url.path,
            "demo_roles": list(Role) if isinstance(self.gate.entrance, DemoEntrance) else [],
            "form_token": FORM_TOKEN,
            "words": words,
            "word": words.word,
            "explained": words.explained,
        }
        html = self._templates.get_template(template).render(frame | shown)
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
        made.filters |= {"shown": shown, "freshness": freshness, "title_of": title_of, "day": day, "letter": letter_of}
        made.filters |= {"lasting": lasting, "many": many, "coded": coded, "set_aside": set_aside_said}
        made.filters |= {
            "variation": VARIATIONS.__getitem__,
            "assurance": ASSURANCES.__getitem__,
            "described": described,
        }
        return made
