"""The words that mappings are declared in: a rule reads one FHIR field and gives one or more fields of the record.

A rule is a pure function of the field's bytes (and of one companion field where it names one) and of the site's
setting. The mapper calls it once for each distinct content of a field and remembers what it gave, so rules are written
for the reader, not for speed; short cuts for speed stand in `short_cuts` alone. A new word goes to the file of its
subject and is listed here.
"""

from transforms.rules.codes import coded, coded_value, codings, each_of, first_of, null_flavour, one_of, visit_class
from transforms.rules.declaring import Kept, Parts, Resource, choice, required
from transforms.rules.links import link
from transforms.rules.medicines import dispense, dosage, kept_medication, medication
from transforms.rules.numbers import boolean, integer, quantity
from transforms.rules.people import home_zip, patient, preferred_language, the_patient, us_core_category
from transforms.rules.refusals import (
    extensions,
    fact,
    focus,
    modifiers,
    not_a_fact_if_true,
    noted_if_false,
    noted_links,
    other_version,
    unless_shaped,
)
from transforms.rules.texts import presence, withheld
from transforms.rules.times import birth_date, died, instant, local_date, period

__all__ = [
    "Kept",
    "Parts",
    "Resource",
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
    "home_zip",
    "instant",
    "integer",
    "kept_medication",
    "link",
    "local_date",
    "medication",
    "modifiers",
    "not_a_fact_if_true",
    "noted_if_false",
    "noted_links",
    "null_flavour",
    "one_of",
    "other_version",
    "patient",
    "period",
    "preferred_language",
    "presence",
    "quantity",
    "required",
    "the_patient",
    "unless_shaped",
    "us_core_category",
    "visit_class",
    "withheld",
]
