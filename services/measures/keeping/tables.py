"""What is kept: who is due, where each person stands, the results, and by which measures."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text

from services.registry.tables import SAID, instant

metadata = MetaData()

POPULATIONS = {
    "initial-population": "initial_population",
    "denominator": "denominator",
    "denominator-exclusion": "denominator_exclusion",
    "denominator-exception": "denominator_exception",
    "numerator": "numerator",
    "set-aside": "set_aside",
    "unknown": "unknown",
}
"""By code of FHIR's measure-population, and two of ours, the column in which a person stands."""

due = Table(
    "feedback_due",
    metadata,
    Column("kind", Text, primary_key=True, comment="subject: evaluate the person. site: count its results anew."),
    Column("name", Text, primary_key=True),
    Column(
        "mark",
        Text,
        nullable=False,
        comment="Another each time it is noted: whoever evaluates takes what it read alone.",
    ),
    Column("topic", Text, nullable=False, comment="Evaluate when the registry is past this place; empty: at once."),
    Column("partition", Integer, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    comment="Whose results may be others now. The pages add to it who was set aside there.",
    info=SAID,
)

KEY = ("site", "measure", "version", "period", "rate")
"""Of a result; in the place of the site `schemas.feedback.ALL_SITES` for all sites together."""
standing = Table(
    "feedback_standing",
    metadata,
    Column("measure", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("period", Text, primary_key=True, comment="Its name: 2026-10."),
    Column("rate", Integer, primary_key=True, autoincrement=False, comment="Which of the measure's rates, from 1."),
    Column("subject", Text, primary_key=True),
    Column("event", Text, primary_key=True, comment="The record that counts; empty where the person does."),
    Column("site", Text, nullable=False),
    *(
        Column(name, Integer, nullable=False, comment="1 in, 0 not, or the measure has none.")
        for name in POPULATIONS.values()
    ),
    Column("value", Double, comment="Of a level."),
    Column("events", BigInteger, comment="Of a rate per person-time."),
    Column("days", BigInteger, comment="Of a rate per person-time."),
    Index("feedback_standing_subject", "subject"),
    Index("feedback_standing_site", *KEY),
    comment="Where each person stands in each measure and period.",
)

group = Table(
    "feedback_group",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("scope", Text, primary_key=True, comment="Empty: of every measure; CMS155/2026: of that one and version."),
    Column("kind", Text, primary_key=True, comment="How people are told apart: sex, payer …"),
    Column("name", Text, comment="The group; null where it is not known."),
    comment="Which groups each person belongs to.",
)

result = Table(
    "feedback_result",
    metadata,
    *(Column(name, Integer if name == "rate" else Text, primary_key=True, autoincrement=False) for name in KEY),
    Column("stale", Boolean, nullable=False, comment="To be counted anew."),
    Column("content", Text, comment="What is told, JSON, but for sequence and time; null until it is counted."),
    Column("sequence", BigInteger, nullable=False, comment="Rises with the content."),
    Column("number", BigInteger, nullable=False, comment="Order of changes of all results."),
    Column("told", BigInteger, nullable=False, comment="The number that the broker has."),
    Column("computed", instant(), comment="When it became this, UTC."),
    Index("feedback_result_number", "number"),
    comment="Each site's results, with what is not told yet.",
)

SUMS = ("seen", "measured", "met", "unknown", "excluded", "excepted", "aside", "events", "days")
count = Table(
    "feedback_count",
    metadata,
    *(Column(name, Integer if name == "rate" else Text, primary_key=True, autoincrement=False) for name in KEY),
    Column("first", Text, nullable=False, comment="The period's first day."),
    Column("last", Text, nullable=False, comment="Its last day."),
    Column("checksum", Text, nullable=False, comment="Of the measure's definition."),
    Column("standings", BigInteger, nullable=False, comment="Who stands there at all, counted or not."),
    *(Column(name, BigInteger, nullable=False) for name in SUMS),
    Column("total", Double, comment="Of a level: the sum of its numbers."),
    Column("squares", Double, comment="Of a level: the sum of squares about a number near the mean."),
    Column("median", Double, comment="Of a level."),
    comment="What a site counts in a measure and period, so that a network's count is a sum of few rows; of the network what is kept.",
)

plan = Table(
    "feedback_plan",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("checksum", Text, nullable=False, comment="Of the measures and periods that the standings are of."),
    comment="By which measures, their versions and periods the standings were made: one row.",
)
