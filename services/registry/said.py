"""More tables that are written here: what is proposed about measures, what people say to it, when the pages' figures held what came, what
these are, and by what the dates of extracts are moved."""

from sqlalchemy import Column, Index, Table, Text

from services.registry.tables import SAID, instant, metadata

__all__ = ["amendment", "amendment_voice", "extract_key", "metadata", "page_count", "page_survey"]

amendment = Table(
    "amendment",
    metadata,
    Column("id", Text, primary_key=True),
    Column("measure", Text, nullable=False, comment="The measure's id."),
    Column("version", Text, nullable=False, comment="The measure's version that it is to change."),
    Column("change", Text, nullable=False, comment="What is to be counted otherwise, and how."),
    Column("why", Text, nullable=False),
    Column("issue", Text, nullable=False, comment="The issue it answers; empty where none."),
    Column("role", Text, nullable=False, comment="Role of who proposed it."),
    Column("by", Text, nullable=False, comment="Who proposed it: never shown."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Column("decision", Text, nullable=False, comment="accepted or declined; empty while it is discussed."),
    Column("reason", Text, nullable=False, comment="Why it was so decided."),
    Column("decided_name", Text, nullable=False, comment="The name of who decided: shown with the decision."),
    Column("decided", instant(), comment="UTC; null while it is discussed."),
    Index("amendment_measure", "measure"),
    comment="What is proposed about measures, and what was decided. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

amendment_voice = Table(
    "amendment_voice",
    metadata,
    Column("id", Text, primary_key=True),
    Column("amendment", Text, nullable=False),
    Column("words", Text, nullable=False, comment="In their own words; these never leave this database."),
    Column("role", Text, nullable=False, comment="Role of who says it."),
    Column("by", Text, nullable=False, comment="Who says it: never shown."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Index("amendment_voice_amendment", "amendment"),
    comment="What people say to what is proposed about measures. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

page_count = Table(
    "page_count",
    metadata,
    Column(
        "arrived", instant(), primary_key=True, comment="UTC; what arrived here until then is in the pages' figures."
    ),
    Column("at", instant(), nullable=False, comment="UTC; when the figures were counted."),
    Column(
        "delays", Text, nullable=False, comment="JSON: by seconds since it was stored at its site, how many changes."
    ),
    comment="When the pages' figures held what had come, of any measure. Counted by the pages: a rebuild keeps it.",
    info=SAID,
)

page_survey = Table(
    "page_survey",
    metadata,
    Column("site", Text, primary_key=True),
    Column("measure", Text, primary_key=True, comment="The measure's id."),
    Column(
        "key",
        Text,
        nullable=False,
        comment="Of what was asked, by which definition, and how far the site's loads were.",
    ),
    Column("arrived", instant(), nullable=False, comment="UTC; what arrived here until then is counted."),
    Column("content", Text, nullable=False, comment="JSON: what pages draw of the measure at this site. Counts alone."),
    comment="What the pages counted of each site, so that they need not count it again when they are started.",
    info=SAID,
)

extract_key = Table(
    "extract_key",
    metadata,
    Column("name", Text, primary_key=True, comment="dates: by which they are moved."),
    Column("key", Text, nullable=False, comment="32 random bytes, hexadecimal; they go into no extract."),
    comment="By what the dates of extracts are moved: a person's all by the same, in every extract. A rebuild keeps it.",
    info=SAID,
)
