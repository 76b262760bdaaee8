"""The flags of a record's provenance: what was noticed or changed on the way from the source, each with what the record holds now."""

FLAGS: dict[str, str] = {
    # -------------------------------------------------------------------- whom it is about
    "patient-inactive": "Patient.active is false: the EHR has this Patient no longer in use. The person record stands.",
    "patient-linked:<kind>": "Patient.link names another Patient; the kind is FHIR's: replaced-by, replaces, refer, seealso. The person "
    "record stands.",
    "birth-date-placeholder": "The year of Patient.birthDate is before 1890 or after 2099: `birth_date` is left out.",
    "birth-date-doubtful": "`birth_date` is a day that programs count from and write where none was entered: 1899-12-30, 1899-12-31, "
    "1900-01-01, 1901-01-01, 1904-01-01, 1970-01-01. Or Patient.birthDate has a time in UTC at which it was another day at the site. It stands.",
    "patient-declined": "Appointment.participant.status of the patient is declined, whatever the appointment's own says. The record stands.",
    "id-unusual": "The resource's id holds a blank or a sign of an address, so that no reference can name it. The record stands.",
    "subpotent-unclear": "Immunization.subpotentReason says why a dose was subpotent, and isSubpotent does not say that it was. `subpotent` is as the source has it.",
    "died-before-birth": "`death_date` is before `birth_date`, as far as both are known. Both stand.",
    "zip-of-work": "`zip5` is of an address of work or billing, as no address of a home is told.",
    # -------------------------------------------------------------------- codes
    "code-unmapped": "No coding is of the system wanted, and the site's code map has a meaning for none: the normalised field (`code`, "
    "`value_code`, `registry`, `device` …) is left out; every coding stands in `codings` (`value_codings` …) where the type has it.",
    "code-withheld": "A code is not of its system's form, or, of a system that is not known, has blanks or more than 64 characters, and is "
    "not in the site's code map: it may hold an identifier, and that coding is left out. The other codings stand.",
    "loinc-check-digit": "Beside `code-withheld`: the LOINC code's check digit is wrong.",
    "loinc-form": "Beside `code-withheld`: the code is not of LOINC's form.",
    "loinc-spreadsheet-date": "Beside `code-withheld`: a spreadsheet turned the LOINC code into a date.",
    "snomed-check-digit": "Beside `code-withheld`: the SNOMED CT code's check digit is wrong.",
    "snomed-form": "Beside `code-withheld`: the code is not of the form of a SNOMED CT concept.",
    "denied-in-words": "The words beside the code say that it is not so or was not done (ruled out, refused, cancelled, tolerated …). The record stands.",
    "doubted-in-words": "The words beside the code say that it is not certain (rule out, possible, suspected …). The record stands.",
    "past-in-words": "The words beside the code say that it is over (history of, status post, discontinued, resolved …). The record stands.",
    "family-in-words": "The words beside the code say that it is the family's (family history, mother's …). The record stands.",
    "certainty-not-understood": "An extension on the code says how certain it is, in a word that is not understood. The record stands as "
    "without it.",
    "diagnosis-suspected": "The code bears the mark V of ICD-10-GM (Diagnosesicherheit: suspected), as an extension or behind it. The record stands, its "
    "`verification_status` is as the source has it.",
    "diagnosis-status-post": "The code bears the mark Z of ICD-10-GM (Diagnosesicherheit: status post), as an extension or behind it. The record stands, its "
    "`clinical_status` is as the source has it.",
    "status-reason-elsewhere": "MedicationDispense.statusReasonReference names a resource that it does not contain, which is not read: "
    "`status_reasons` is left out.",
    # -------------------------------------------------------------------- values and units
    "unit-converted": "The value was converted to the one unit of its code, which `unit` names. The number and the unit as written stand in "
    "`raw_value`, `raw_unit`; those of a range's ends are not kept.",
    "moles-to-mass": "The code is of a mass and the unit of an amount of substance (mmol/L of glucose, creatinine, lipids): beside "
    "`unit-converted`, the value was converted by the molar mass. Only numbers that are of that unit and of no mass are; others are refused.",
    "unit-repaired": "The unit was written in another spelling than UCUM's. `unit` has UCUM's; `raw_unit`, where the type has it, the source's.",
    "unit-missing": "The source gives no unit: `value` is the number as written and has no `unit`. Where its code has a unit of its own, "
    "`implausible-low` and `implausible-high` are judged as if it were in that.",
    "unit-withheld": "The unit as written is UCUM, but of no closed list, and may hold words of somebody: `raw_unit` is left out. `value` and "
    "`unit` stand.",
    "unit-of-another": "The number is in a unit of another quantity, as a percentile is under the code of a body mass index: it is left out, "
    "`absent` is OT. That it was measured stands.",
    "number-as-text": "A number stood in quotation marks. It is read as the number.",
    "number-withheld": "An answer is a number beyond 99,999 without a unit, or a result one beyond 9,999,999, or one that is "
    "not round and beyond what is plausible of its code or, where that is not known, beyond 99,999,999; it may be a telephone's or a record's: it is left out, `absent` is OT.",
    "number-rounded": "What is counted in a volume, such as copies in a millilitre, was told with nine digits or more that are not round, "
    "and may be a telephone's or a record's number: `value` and `raw_value` are its first three digits.",
    "value-type-withheld": "The value is of a type that the model has no field for (valueSampledData, valuePeriod, valueAttachment, "
    "valueReference; a valueRatio in units of no closed list): it is left out, `absent` is OT.",
    "from-text": "Read from free text, as no code or number says it: a word of a closed list, a number, a titre, an age, a date, a schedule. "
    "The text itself stays at the site.",
    "text-withheld": "Said in free text alone, which stays at the site: the field is left out; of a value `absent` is OT.",
    "reference-several": "Of several reference ranges none or more than one holds for everybody (without `appliesTo` and `age`): "
    "`reference_low`, `reference_high` are left out.",
    "ratio-of-nothing": "The lower number of a valueRatio is zero: it is left out, `absent` is OT.",
    "range-contradictory": "The lower end of a range is above its upper end. Both stand.",
    "reference-withheld": "The reference range is told in words alone, or has an end that is no number, or in a unit that is not known or does not fit the code: "
    "`reference_low`, `reference_high` are left out.",
    "implausible-high": "By mapping: the value is above what a living person has, by its code and unit; an age above 130 years. It stands.",
    "implausible-low": "By mapping: the value is below what a living person has, by its code and unit; an age below zero. It stands.",
    # -------------------------------------------------------------------- times
    "time-filler": "The time's year is 0001, 1753, 1899, 1900 or 9999, which systems write where there is none: the time is left out.",
    "time-doubtful": "The time is before 1890, or 1970-01-01T00:00:00, which programs write where there is none. It stands.",
    "time-repaired": "The time was not of FHIR's form (blanks, no seconds, an offset without a colon or minutes, 24:00, a leap second, HL7 v2's digits alone) and was understood.",
    "time-zone-assumed": "The time had no offset: it is read in the site's time zone.",
    "time-ambiguous": "Beside `time-zone-assumed`: the local time occurs twice, as clocks were set back. The first is taken.",
    "time-in-gap": "Beside `time-zone-assumed`: the local time does not occur, as clocks were put forward. It is read by the clock that was not.",
    "midnight-utc": "The time is midnight of UTC, which is the day before at the site: perhaps a date that a system wrote as a time. The "
    "instant stands, and the local date is the day before.",
    "future": "A time of what is past, the birth date, or the start of an appointment to which somebody came or of a visit that began, or the day for which a request that is completed asked, is more than a day after the day (UTC) of mapping. It stands.",
    "time-end": "Observation.effectivePeriod or an onsetPeriod has no start: `effective`, `effective_date` (`onset`, `onset_date`) hold its end.",
    "time-issued": "Observation.effective[x] gives no time: `effective`, `effective_date` hold Observation.issued, when it was made available.",
    "time-report": "Observation.effective[x] and issued give no time: `effective`, `effective_date` hold that of the DiagnosticReport that lists "
    "it, its own effective time or else when it was issued.",
    "timing-withheld": "A time that recurs, for which the model has no field (effectiveTiming, occurrenceTiming, timingTiming without "
    "boundsPeriod): it is left out.",
    "updated-unreadable": "meta.lastUpdated cannot be read, is before 1970 or to come, which would stand above all that does come: the source's `updated` is left out.",
    "ends-before-start": "An end is before its start, as far as both are known. Both stand.",
    "occurs-before-onset": "`last_occurrence_date` is before `onset_date`, as far as both are known. Both stand.",
    "active-and-abated": "The condition has an abatement, and a clinical status by which it goes on: active, recurrence, relapse. Both stand.",
    "recorded-before-onset": "`recorded_date` is before `onset_date`, as far as both are known. Both stand.",
    "recorded-before-given": "`recorded_date` of an immunization is before `occurrence_date`, as far as both are known. Both stand.",
    "issued-before-observed": "`issued_date` is before `effective_date`, as far as both are known: no result is told before it is found. Both "
    "stand.",
    "active-and-over": "An episode of care, a care plan, the use of a device or a reported medicine is active, a visit, a procedure or the giving of a medicine is "
    "in progress, and its period has an end that has passed. Both stand.",
    # -------------------------------------------------------------------- medicines
    "mixture-without-code": "The Medication that is named has no code that can be used, but ingredients that have: `code` and `codings` are "
    "left out, `ingredients` and `strengths` tell it.",
    "negative-amount": "A dose, a rate, a quantity, `days_supply` or the days of a step are below zero. They stand.",
    "done-yet-not": "An appointment stands and has a reason why it was cancelled; or what is completed has a reason why it was not done: Immunization, Procedure, Communication, MedicationAdministration or "
    "MedicationDispense.statusReason. Both stand.",
    "nothing-given": "A dose, a quantity or `days_supply` is zero. It stands.",
    "dose-unknown": "The dose of a vaccine is 999, HL7 v2's number for one that is not known: `dose` is left out.",
    "dose-beyond-series": "`dose_number` is above `series_doses`. Both stand.",
    "dosage-contradictory": "A step of the dosage contradicts itself: a lower end above its upper end, a schedule by name and one by figures. "
    "Both stand.",
    "timing-repaired": "The unit of a step's period was written as a word or in another case, and was understood.",
    "several-doses": "A step names several doses (of those it calls ordered, if any) that are not the same: none is told.",
    "several-rates": "A step names several rates (of those it calls ordered, if any) that are not the same: none is told.",
    "dose-unit-unknown": "An amount of a medicine or vaccine (a dose, a rate, a maximum, a quantity) is in a unit that is of no closed list and "
    "not in the site's code map, or the ends of a range of doses are in two: it is left out with its unit.",
    "rate-unit-unknown": "The ends of a range of rates are in two units: `rate_low`, `rate_high` are left out.",
    "supply-unit-unknown": "A duration (`days_supply`, the `days` of a step, `due_days` of a goal) is in a unit that is none of time: it is left out.",
    "dosage-unreadable": "A step of the dosage is of another shape than FHIR's: that step is left out.",
    "dose-unreadable": "The doses, or a maximum, of a step are of another shape than FHIR's, or the dose is no number, a bound (<, >), or beyond 99,999 "
    "without a unit, or beyond 9,999,999 and not round: left out.",
    "timing-unreadable": "A part of a step's timing (a count, a unit, a period, a date) is not as FHIR has it, none (no times, every nought days), "
    "or beyond 99,999, or how often is told by a code of the hospital's own alone: that part is left out.",
    "route-unreadable": "The route of a step is of another shape than FHIR's: it is left out.",
    "as-needed-unreadable": "Dosage.asNeededCodeableConcept is of another shape than FHIR's: `as_needed_for` is left out; `as_needed` is what "
    "asNeededBoolean says.",
    "refills-unreadable": "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed is no whole number from zero: `refills` is left out.",
    "reported-unreadable": "MedicationRequest.reportedBoolean is neither true nor false: `kind` is ordered.",
    "<amount>-unreadable": "An amount or duration of a medicine (`dose-low`, `rate`, `max-dose-period`, `quantity`, `days-supply` …, by its field) "
    "is no number, a bound (<, >), or beyond 9,999,999 and not round as a telephone's is, or bears a reason why there is none, or its ratio cannot be made one number: it is left out.",
    "<part>-modified": "A FHIR element of a step (`timing`, `doseAndRate[0]` …; `dosage`: the whole step) bears a modifierExtension, which is not "
    "understood: that element is left out.",
    "several-protocols": "Immunization.protocolApplied numbers the dose, or the series, in several ways: that of `dose_number`, `series_doses` "
    "is left out.",
    # -------------------------------------------------------------------- the resource as a whole
    "dropped:<field>": "The FHIR element that is named (`valueQuantity`, `component[0]`, `meta` …), or something inside it, could not be used "
    "and is left out; so is a reference that no record can be found by: to what is contained, or by an identifier or words alone. The rest of the record stands.",
    "repaired:<field>": "The FHIR element that is named was written otherwise than FHIR has it (other case, a known other word, words in "
    "place of a code, 00 for a month or day) and was understood.",
    "several:<field>": "Of a choice that is named (`value[x]` …) several stand, where FHIR allows one; or several codes of a field of the record of which "
    "one alone can be so (`clinical_status`, `interpretation`, `birth_sex` …), or which fit alike (`code`: two RxNorm codes of one order). One "
    "is taken: a dataAbsentReason before a value, deceasedDateTime before deceasedBoolean, of codes that fit alike the smallest, else the "
    "first that the mapping names.",
    "several:policy": "Consent.policy has several addresses: `policy` is of the first of them by the alphabet.",
    "several:report-time": "Beside `time-report`: the reports that list the result give several times. The earliest is taken.",
    "parts-alike": "Several parts of the resource (components, answers, targets, activities) are known by the same code. Each is a record; "
    "which has which id follows from their contents, so an id may come to stand for another when these change.",
    "part-of-itself": "A link names the record that it stands in (`part_of`, `members`, `derived_from`, `prior`): it is its own id. It stands.",
    "replaced": "An extension of the resource says that another has replaced it. The record stands; the other names it in `replaces`, where "
    "the source says so there too.",
    "says-nothing": "The resource came with nothing but its id, whether it is in use, and links: the record has no facts. What stood of it "
    "before would stay, so there was nothing, or it had been withdrawn.",
    "consent-exception": "A scope is denied, and a provision inside permits a part of it (some actors, data, a time, a purpose that is not "
    "known): the decision stays deny.",
    # -------------------------------------------------------------------- checks of a person's records
    "duplicates": "Another resource says the same of the same person and moment (encounter, observation, procedure, immunization, condition, "
    "medication). All but one of them bear the flag.",
    "replaced-in-circle": "The record replaces others that replace it in turn. Of such a circle this one stands, that of the smallest id; "
    "the others count for nothing.",
    "implausible-after-death": "It happened more than 60 days after the day of death.",
    "implausible-before-birth": "It is dated more than a day before the birth date.",
    "implausible-future": "It happened, or is a birth or death, and is dated after the day of the check.",
    "implausible-growth-velocity": "A child's heights rise faster than at the fastest growth for the age and 3 cm, and this one is at fault: it "
    "contradicts more of its neighbours, or is the later.",
    "implausible-height-falling": "Below 20 years of age heights fall by more than 3 cm, and this one is at fault: it contradicts more of its "
    "neighbours, or is the later.",
    "implausible-out-of-range": "The value is outside what its code allows at the person's age, or bears `implausible-low` or "
    "`implausible-high`.",
    "implausible-weight-unit": "Of two weights within 400 days (30 in the first year) one is 2.2 times the other, as pounds filed as kilograms "
    "are, and this one is at fault: it contradicts more of its neighbours, or is the later.",
}
"""By the flag; `<…>` stands for a word of many. A consumer passes over one that it does not know. Whoever counts leaves out what
is `implausible-…`, and says so."""
