"""The words that mappings are declared in: a rule reads one FHIR field and gives one or more fields of the record.

A rule is a pure function of the field's bytes (and of one companion field where it names one) and of the site's
setting. The mapper calls it once for each distinct content of a field and remembers what it gave, so rules are written
for the reader, not for speed; short cuts for speed stand in `short_cuts` alone. A new word goes to the file of its
subject and is listed here.
"""

from transforms.rules.codes import coded, coded_value, codings, each_of, first_of, null_flavour, one_of, visit_class
from transforms.rules.contradictions import negative, out_of_order, together
from transforms.rules.declaring import Kept, Parts, Resource, choice, required
from transforms.rules.dosage import dosage
from transforms.rules.links import kinds_of, link, links, pseudonym_of
from transforms.rules.meaning import (
    extensions,
    fact,
    focus,
    modifiers,
    noted_if_false,
    noted_links,
)
from transforms.rules.medicines import (
    amount_of,
    dispense,
    given_dosage,
    kept_medication,
    medication,
    reported,
    statement_period,
    supply,
)
from transforms.rules.numbers import boolean, integer, quantity
from transforms.rules.people import home_zip, patient, preferred_language, the_patient, us_core_category
from transforms.rules.refusals import not_a_fact_if_true, other_version, unless_beside, unless_shaped
from transforms.rules.texts import presence, withheld
from transforms.rules.times import birth_date, died, instant, local_date, period

__all__ = [
    "Kept",
    "Parts",
    "Resource",
    "amount_of",
    "birth_date",
    "boolean",
    "choice",
    "coded",
    "coded_value",
    "codings",
    "died",
    "dispense",
    "dosage",
    "each_of",
    "extensions",
    "fact",
    "first_of",
    "focus",
    "given_dosage",
    "home_zip",
    "instant",
    "integer",
    "kept_medication",
    "kinds_of",
    "link",
    "links",
    "local_date",
    "medication",
    "modifiers",
    "negative",
    "not_a_fact_if_true",
    "noted_if_false",
    "noted_links",
    "null_flavour",
    "one_of",
    "other_version",
    "out_of_order",
    "patient",
    "period",
    "preferred_language",
    "presence",
    "pseudonym_of",
    "quantity",
    "reported",
    "required",
    "statement_period",
    "supply",
    "the_patient",
    "together",
    "unless_beside",
    "unless_shaped",
    "us_core_category",
    "visit_class",
    "withheld",
]
