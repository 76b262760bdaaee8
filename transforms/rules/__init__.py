"""The words that mappings are declared in: a rule reads one FHIR field and gives one or more fields of the record.

A rule is a pure function of the field's bytes (and of one companion field where it names one) and of the site's
setting. The mapper calls it once for each distinct content of a field and remembers what it gave, so rules are written
for the reader, not for speed; short cuts for speed stand in `short_cuts` alone. A new word goes to the file of its
subject and is listed here.
"""

from transforms.rules.ages import Ages, age, age_or_date_in_words, age_range
from transforms.rules.codes import coded, coded_value, codings, each_of, first_of, null_flavour, one_of, visit_class
from transforms.rules.contradictions import negative, out_of_order, together
from transforms.rules.declaring import LENT, Kept, Lender, Parts, Resource, choice, required
from transforms.rules.dosage import dosage
from transforms.rules.drugs import DRUG_CONTRADICTIONS, drug
from transforms.rules.links import grouped_by, kinds_of, link, links, pseudonym_of, replaced
from transforms.rules.meaning import (
    deletion_marks,
    extensions,
    fact,
    focus,
    gone_if_wrong,
    modifiers,
    noted_if_false,
    noted_links,
    unless_masked,
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
from transforms.rules.numbers import boolean, integer, quantity, ratio, reference_range, value_range
from transforms.rules.people import home_zip, patient, preferred_language, the_patient, us_core
from transforms.rules.refusals import (
    not_a_fact_if_true,
    other_version,
    unless_beside,
    unless_shaped,
    unless_within,
    unusable_if_given,
)
from transforms.rules.reports import results_of, time_of_report
from transforms.rules.requests import REQUEST_CONTRADICTIONS, asked, request_intent
from transforms.rules.texts import ValueNames, presence, said, true_if_given, withheld
from transforms.rules.times import birth_date, died, event_time, flagged, instant, local_date, period, time_of_day
from transforms.rules.visits import (
    class_history,
    codings_in,
    codings_in_extension,
    diagnoses,
    hospitalization,
    kinds_in,
    participants,
    protocol,
    pseudonyms_in,
    reactions,
)

__all__ = [
    "DRUG_CONTRADICTIONS",
    "LENT",
    "REQUEST_CONTRADICTIONS",
    "Ages",
    "Kept",
    "Lender",
    "Parts",
    "Resource",
    "ValueNames",
    "age",
    "age_or_date_in_words",
    "age_range",
    "amount_of",
    "asked",
    "birth_date",
    "boolean",
    "choice",
    "class_history",
    "coded",
    "coded_value",
    "codings",
    "codings_in",
    "codings_in_extension",
    "deletion_marks",
    "diagnoses",
    "died",
    "dispense",
    "dosage",
    "drug",
    "each_of",
    "event_time",
    "extensions",
    "fact",
    "first_of",
    "flagged",
    "focus",
    "given_dosage",
    "gone_if_wrong",
    "grouped_by",
    "home_zip",
    "hospitalization",
    "instant",
    "integer",
    "kept_medication",
    "kinds_in",
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
    "participants",
    "patient",
    "period",
    "preferred_language",
    "presence",
    "protocol",
    "pseudonym_of",
    "pseudonyms_in",
    "quantity",
    "ratio",
    "reactions",
    "reference_range",
    "replaced",
    "reported",
    "request_intent",
    "required",
    "results_of",
    "said",
    "statement_period",
    "supply",
    "the_patient",
    "time_of_day",
    "time_of_report",
    "together",
    "true_if_given",
    "unless_beside",
    "unless_masked",
    "unless_shaped",
    "unless_within",
    "unusable_if_given",
    "us_core",
    "value_range",
    "visit_class",
    "withheld",
]
