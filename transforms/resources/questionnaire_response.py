"""QuestionnaireResponse → pro_response: a questionnaire that was answered. Each answer becomes a record of its own."""

from schemas.problems import Reason
from transforms.codes.systems import LOINC, SNOMED
from transforms.rules import (
    ASSESSMENT,
    Parts,
    Resource,
    all_of,
    answers,
    boolean,
    choice,
    chosen_answer,
    coded,
    coded_value,
    completion_mode,
    event_time,
    extensions,
    instant,
    instrument,
    integer,
    kind_of_one,
    link,
    links,
    no_long_number,
    null_flavour,
    one_of,
    other_version,
    patient,
    quantity,
    replaced,
    reporter,
    spoken_answer,
    telling_state,
    time_of_day,
    told_by_instrument,
    unless_shaped,
    weight,
    withheld,
)

STATUS = ("in-progress", "completed", "amended", "stopped")
SPELLINGS = {"complete": "completed", "final": "completed", "inprogress": "in-progress"}

RESOURCE = Resource(
    source="QuestionnaireResponse",
    record="pro_response",
    version=1,
    beside=ASSESSMENT,
    subject={"subject": patient()},
    fields={
        "questionnaire": unless_shaped(instrument("instrument", "instrument_version"), "object"),  # STU3: a Reference
        "status": one_of("status", STATUS, withdrawn=("entered-in-error",), spellings=SPELLINGS, modifier=True),
        "authored": instant("effective", "effective_date"),
        "source[x]": choice(
            source=reporter("reporter", of="subject"), instead={"author": reporter("reporter", of="subject")}
        ),
        "author": kind_of_one("author_kind"),
        "basedOn": links("based_on", "ServiceRequest"),
        "encounter": link("encounter", "Encounter"),
        "extension": extensions(all_of(completion_mode("mode"), replaced("replaces", "QuestionnaireResponse"))),
        # STU3 and DSTU2
        "parent": other_version(),
        "context": other_version(),
        "group": other_version(),
    },
    repeated={
        "linkId[x]": choice(
            linkId=told_by_instrument(coded(code=LOINC, every="codings", text_is=Reason.MISSING_CODE)),
            fatal=True,
        ),
        "value[x]": choice(
            valueBoolean=boolean("value_code", as_code=True),
            valueDecimal=no_long_number(integer(value="value", raw_value="raw_value", unit_of="linkId"), "absent"),
            valueInteger=no_long_number(integer(value="value", raw_value="raw_value", unit_of="linkId"), "absent"),
            valueDate=event_time("value_instant", "value_date"),
            valueDateTime=event_time("value_instant", "value_date"),
            valueTime=time_of_day("value_time"),
            valueString=telling_state(spoken_answer("value", "absent")),
            valueUri=withheld("text-withheld", absent="OT"),
            # Types that FHIR's answer has not
            value=withheld("value-type-withheld", absent="OT"),
            valueCode=withheld("value-type-withheld", absent="OT"),
            valueCodeableConcept=telling_state(
                coded_value(value_code=(LOINC, SNOMED), every="value_codings", absent="absent", listed=True)
            ),
            valueAttachment=withheld("value-type-withheld", absent="OT"),
            valueReference=withheld("value-type-withheld", absent="OT"),
            valueCoding=telling_state(
                chosen_answer(
                    coded_value(value_code=(LOINC, SNOMED), every="value_codings", absent="absent", listed=True),
                    "absent",
                )
            ),
            valueQuantity=no_long_number(
                quantity(
                    value="value",
                    unit="unit",
                    raw_value="raw_value",
                    raw_unit="raw_unit",
                    comparator="comparator",
                    absent="absent",
                    unit_of="linkId",
                ),
                "absent",
            ),
            # FHIR has it as an extension of the answer or beside its value.
            dataAbsentReason=null_flavour("absent"),
            wins="dataAbsentReason",
            fatal=True,
            otherwise={"absent": "NI"},
            unless=("item",),
        ),
        "weight": weight("weight"),
        "extension": extensions(),
    },
    parts=Parts(of="item", known_by="part", alone=("instrument",), spread=answers, beside="questionnaire"),
)
