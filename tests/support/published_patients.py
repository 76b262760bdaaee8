"""Random patients in FHIR for the published measures: most of what a measure asks for, at and beside its boundaries."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from random import Random
from typing import Any

from services.measures.language.codes import SNOMED, Code, ValueSet
from services.measures.official import cms2, cms122, cms155, cms159, cms165
from services.measures.official import common as c
from transforms.codes.forms import snomed_fault

Resource = dict[str, Any]
HL7 = "http://terminology.hl7.org/CodeSystem"
NOT_DONE = "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDoneReason"
YOUNG, GROWN = cms2.ADOLESCENTS, cms2.ADULTS
NAMES: dict[str, Code | ValueSet] = {
    "inpatient": c.INPATIENT,
    "hospice visit": c.HOSPICE_VISIT,
    "hospice care": c.HOSPICE_CARE,
    "hospice diagnosis": c.HOSPICE_DIAGNOSIS,
    "to hospice home": c.TO_HOSPICE[0],
    "to hospice facility": c.TO_HOSPICE[1],
    "hospice asked": c.HOSPICE_ASKED,
    "yes": c.YES,
    "palliative asked": c.PALLIATIVE_ASKED,
    "palliative diagnosis": c.PALLIATIVE_DIAGNOSIS,
    "palliative visit": c.PALLIATIVE_VISIT,
    "palliative care": c.PALLIATIVE_CARE,
    "frailty device": c.FRAILTY_DEVICE,
    "frailty diagnosis": c.FRAILTY_DIAGNOSIS,
    "frailty visit": c.FRAILTY_VISIT,
    "frailty symptom": c.FRAILTY_SYMPTOM,
    "advanced illness": c.ADVANCED_ILLNESS,
    "dementia drugs": c.DEMENTIA_DRUGS,
    "equipment asked": c.EQUIPMENT_ASKED,
    "housing asked": c.HOUSING_ASKED,
    "nursing home": c.NURSING_HOME,
    "office": c.OFFICE,
    "wellness": c.WELLNESS,
    "established adult": c.ESTABLISHED_ADULT,
    "initial adult": c.INITIAL_ADULT,
    "home care": c.HOME_CARE,
    "virtual": c.VIRTUAL,
    "telephone": c.TELEPHONE,
    "hypertension": cms165.HYPERTENSION,
    "emergency": cms165.EMERGENCY,
    "pregnancy": cms165.PREGNANCY,
    "esrd": cms165.KIDNEY[0],
    "transplanted": cms165.KIDNEY[1],
    "ckd5": cms165.KIDNEY[2],
    "transplant": cms165.KIDNEY_PROCEDURES[0],
    "dialysis": cms165.KIDNEY_PROCEDURES[1],
    "esrd visit": cms165.KIDNEY_VISIT,
    "blood pressure": cms165.BLOOD_PRESSURE,
    "systolic": cms165.SYSTOLIC,
    "diastolic": cms165.DIASTOLIC,
    "diabetes": cms122.DIABETES,
    "hba1c": cms122.HBA1C,
    "gmi": cms122.GMI,
    "nutrition": cms122.NUTRITION,
    "nutrition therapy": cms122.NUTRITION_THERAPY[1],
    "individual": cms155.KINDS[1],
    "established child": cms155.KINDS[2],
    "initial child": cms155.KINDS[3],
    "group": cms155.KINDS[4],
    "for nutrition": cms155.NUTRITION,
    "for activity": cms155.ACTIVITY,
    "bmi": cms155.BMI[1],
    "height": cms155.HEIGHT,
    "weight": cms155.WEIGHT,
    "to screen": cms2.KINDS[0],
    "physical therapy": cms2.KINDS[1],
    "bipolar": cms2.BIPOLAR,
    "medical reason": cms2.MEDICAL_REASON,
    "declined": cms2.DECLINED,
    "negative": cms2.NEGATIVE,
    "positive": cms2.POSITIVE,
    "screening of adolescents": YOUNG.screening,
    "screening of adults": GROWN.screening,
    "drugs of adolescents": YOUNG.drugs,
    "drugs of adults": GROWN.drugs,
    "referral of adolescents": YOUNG.referral,
    "referral of adults": GROWN.referral,
    "follow up of adolescents": YOUNG.follow_up,
    "follow up of adults": GROWN.follow_up,
    "depression": cms159.DEPRESSION[0],
    "dysthymia": cms159.DEPRESSION[1],
    "personality": cms159.OTHER_DISORDERS[1],
    "schizophrenia": cms159.OTHER_DISORDERS[2],
    "developmental": cms159.OTHER_DISORDERS[3],
    "contact": cms159.CONTACT,
    "phq-9": cms159.PHQ9,
}
"""What the published logic names, and what our declarations call it."""


def _scheme() -> dict[str, str]:
    """By OID an SCTID that stands for all of a value set."""
    numbers, found = count(70_001), {}
    for each in NAMES.values():
        if isinstance(each, ValueSet) and each.oid not in found:
            stem = f"{next(numbers)}00"
            found[each.oid] = next(f"{stem}{digit}" for digit in range(10) if snomed_fault(f"{stem}{digit}") is None)
    return found


CODES = _scheme()


def coding(name: str) -> Resource:
    """One that is of a value set, or the code."""
    one = NAMES[name]
    return (
        {"system": one.system, "code": one.code}
        if isinstance(one, Code)
        else {"system": SNOMED, "code": CODES[one.oid]}
    )


def is_of(given: Resource, name: str) -> bool:
    """Whether a coding is of a value set, or is the code."""
    wanted = coding(name)
    return (given.get("system"), given.get("code")) == (wanted["system"], wanted["code"])


def concept(*names: str) -> Resource:
    """A CodeableConcept."""
    return {"coding": [coding(name) for name in names]}


def word(system: str, code: str) -> Resource:
    """A CodeableConcept of HL7's own words."""
    return {"coding": [{"system": f"{HL7}/{system}", "code": code}]}


class Maker:
    """Makes resources of one patient for one measurement year."""

    def __init__(self, rng: Random, year: int) -> None:
        self.rng, self.year, self.numbers = rng, year, count(1)
        self.anchors = [datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)]
        self.usual = rng.choice([0.5, 0.8, 0.95])
        """How often what happens to this patient is what is usual, not what is beside it."""
        self.zoned = True

    def mostly(self, usual: str, *others: str) -> str:
        """The usual word, or another."""
        return usual if self.rng.random() < self.usual else self.rng.choice(others)

    def near(self, *anchors: datetime) -> datetime:
        """At a boundary or beside it: by a millisecond, an hour, some days."""
        at = self.rng.choice(anchors or self.anchors)
        if self.rng.random() < self.usual - 0.3:
            spring = datetime(self.year, 3, 15, 9, tzinfo=UTC) + timedelta(days=self.rng.randint(0, 60))
            return at if anchors else spring
        by = self.rng.choice(
            [timedelta(), timedelta(milliseconds=-1), timedelta(hours=-9), timedelta(hours=10), timedelta(days=-1)]
            + [timedelta(days=n) for n in (1, 7, 30, -7, -30, 90)]
        )
        return at + by

    def written(self, at: datetime, dates: bool = True) -> str:
        """As systems write it: to the millisecond in this zone or that, or as a date."""
        if dates and self.rng.random() < 0.12:
            return at.date().isoformat()
        zone = timezone(timedelta(hours=self.rng.choice([0, 0, 0, 0, -5, 9]) if self.zoned else 0))
        return (
            at.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", self.rng.choice(["Z", "+00:00"]))
        )

    def stretch(self, *anchors: datetime) -> Resource:
        """A Period; some have no end."""
        start = self.near(*anchors)
        end = start + self.rng.choice([timedelta(), timedelta(minutes=30), timedelta(days=1), timedelta(days=3)])
        if self.rng.random() < 0.08:
            return {"start": self.written(start, dates=False)}
        return {"start": self.written(start, dates=False), "end": self.written(end, dates=False)}

    def timed(self, name: str, *anchors: datetime) -> Resource:
        """dateTime or Period."""
        if self.rng.random() < 0.4:
            return {f"{name}Period": self.stretch(*anchors)}
        return {f"{name}DateTime": self.written(self.near(*anchors))}

    def resource(self, kind: str, given: Resource) -> Resource:
        """Of this patient."""
        own = {"resourceType": kind, "id": f"x-{next(self.numbers)}", "subject": {"reference": "Patient/p"}}
        return own | given

    def patient(self, *ages: tuple[datetime, int]) -> Resource:
        """Of an age at a moment, or a day before or after a birthday."""
        at, years = self.rng.choice(ages)
        day = at.replace(year=at.year - years).date() + timedelta(days=self.rng.choice([0, 0, 1, -1, -100, 100]))
        return {"resourceType": "Patient", "id": "p", "birthDate": day.isoformat()}

    def visit(self, name: str, *anchors: datetime, **given: Any) -> Resource:
        """An Encounter."""
        status = self.mostly("finished", "in-progress", "arrived", "planned", "cancelled", "unknown")
        code = self.mostly("AMB", "HH", "VR", "EMER", "IMP", "SS", "PRENC")
        own = {"status": status, "class": {"system": f"{HL7}/v3-ActCode", "code": code}, "type": [concept(name)]}
        return self.resource("Encounter", own | {"period": self.stretch(*anchors)} | given)

    def answer(self, name: str, value: Resource, *anchors: datetime, category: str = "survey") -> Resource:
        """An Observation."""
        status = self.mostly("final", "corrected", "amended", "preliminary", "registered", "cancelled")
        said = self.mostly(category, "vital-signs")
        own = {"status": status, "category": [word("observation-category", said)], "code": concept(name)}
        return self.resource("Observation", own | self.timed("effective", *anchors) | value)

    def problem(self, name: str, *anchors: datetime, **given: Any) -> Resource:
        """A Condition."""
        rng = self.rng
        own: Resource = {"code": concept(name)}
        if rng.random() < 0.93:
            clinical = self.mostly("active", "recurrence", "relapse", "inactive", "resolved", "remission")
            own["clinicalStatus"] = word("condition-clinical", clinical)
        if rng.random() < 0.9:
            sure = self.mostly("confirmed", "unconfirmed", "provisional", "differential")
            own["verificationStatus"] = word("condition-ver-status", sure)
        kind = rng.choice(["problem-list-item", *["encounter-diagnosis"] * 3, "health-concern"])
        own["category"] = [word("condition-category", kind)]
        start = self.near(*anchors)
        begun = rng.random()
        if begun < 0.6:
            own["onsetDateTime"] = self.written(start)
        elif begun < 0.8:
            own["onsetPeriod"] = {"start": self.written(start, dates=False)}
        elif begun < 0.9:
            own["onsetAge"] = {"value": 12, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"}
        if rng.random() < 0.3:
            end = max(start, self.near())
            noon = end.replace(hour=12)
            own |= rng.choice(
                [
                    {"abatementDateTime": self.written(end)},
                    {
                        "abatementPeriod": {
                            "start": self.written(start, dates=False),
                            "end": self.written(noon, dates=False),
                        }
                    },
                ]
            )
        return self.resource("Condition", own | given)

    def order(self, kind: str, name: str, *anchors: datetime, **given: Any) -> Resource:
        """A request."""
        place = {"MedicationRequest": "medicationCodeableConcept", "DeviceRequest": "codeCodeableConcept"}
        status = self.mostly("active", "completed", "draft", "revoked")
        if kind == "MedicationRequest" and status == "revoked":
            status = "cancelled"
        intent = self.mostly("order", "filler-order", "reflex-order", "plan", "proposal")
        own = {"status": status, "intent": intent, place.get(kind, "code"): concept(name)}
        return self.resource(kind, own | {"authoredOn": self.written(self.near(*anchors))} | given)

    def drug(self, name: str, *anchors: datetime) -> Resource:
        """An order of a medicine, with what its supply can be told by; in UTC, as supplies are of days as they are written."""
        rng, self.zoned = self.rng, False
        dose: Resource = {}
        if rng.random() < 0.7:
            dose["doseAndRate"] = [
                rng.choice(
                    [
                        {"doseQuantity": {"value": 1, "unit": "{tbl}"}},
                        {"doseRange": {"low": {"value": 1, "unit": "{tbl}"}, "high": {"value": 2, "unit": "{tbl}"}}},
                    ]
                )
            ]
        repeat: Resource = rng.choice(
            [
                {},
                {"frequency": 1, "period": 1, "periodUnit": "d"},
                {"frequency": 1, "frequencyMax": 2, "period": 12, "periodUnit": "h"},
                {"frequency": 3},
                {"timeOfDay": ["08:00:00", "20:00:00"]},
            ]
        )
        if rng.random() < 0.3:
            repeat = repeat | {"boundsPeriod": self.stretch(*anchors)}
        if repeat:
            dose["timing"] = {"repeat": repeat}
        supply: Resource = rng.choice(
            [
                {"expectedSupplyDuration": _days(30)},
                {"expectedSupplyDuration": _days(1)},
                {"quantity": {"value": 30, "unit": "{tbl}"}},
                {"quantity": {"value": 7, "unit": "{tbl}"}},
                {},
            ]
        )
        if rng.random() < 0.3:
            supply = supply | {"numberOfRepeatsAllowed": rng.choice([0, 1, 5])}
        given: Resource = {"dosageInstruction": [dose]} if dose else {}
        if supply:
            given["dispenseRequest"] = supply
        made, self.zoned = self.order("MedicationRequest", name, *anchors, **given), True
        return made

    def done(self, name: str, *anchors: datetime) -> Resource:
        """A Procedure."""
        status = self.mostly("completed", "in-progress", "preparation", "not-done", "stopped", "unknown")
        return self.resource("Procedure", {"status": status, "code": concept(name)} | self.timed("performed", *anchors))


def _days(number: int) -> Resource:
    return {"value": number, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}


def _left_out(make: Maker) -> list[Resource]:
    """What leaves somebody out of several measures: hospice, palliative care, frailty, a nursing home."""
    yes, year_before = {"valueCodeableConcept": concept("yes")}, datetime(make.year - 1, 1, 1, tzinfo=UTC)
    wide = (*make.anchors, year_before)
    kinds: list[Callable[[], Resource]] = [
        lambda: make.visit(
            "inpatient",
            hospitalization={
                "dischargeDisposition": concept(make.rng.choice(["to hospice home", "to hospice facility"]))
            },
        ),
        lambda: make.visit("hospice visit"),
        lambda: make.answer("hospice asked", yes),
        lambda: make.order("ServiceRequest", "hospice care"),
        lambda: make.done("hospice care"),
        lambda: make.problem("hospice diagnosis"),
        lambda: make.answer("palliative asked", yes),
        lambda: make.problem("palliative diagnosis"),
        lambda: make.visit("palliative visit"),
        lambda: make.done("palliative care"),
        lambda: make.order("DeviceRequest", "frailty device"),
        lambda: make.answer("equipment asked", {"valueCodeableConcept": concept("frailty device")}),
        lambda: make.problem("frailty diagnosis"),
        lambda: make.visit("frailty visit"),
        lambda: make.answer("frailty symptom", {}),
        lambda: make.problem("advanced illness", *wide),
        lambda: make.problem("advanced illness", *wide),
        lambda: make.drug("dementia drugs", *wide),
        lambda: make.drug("dementia drugs", *wide),
        lambda: make.answer(
            "housing asked", {"valueCodeableConcept": concept(make.rng.choice(["nursing home", "yes"]))}, *wide
        ),
    ]
    return [make.rng.choice(kinds)() for _ in range(make.rng.choice([0, 0, 1, 1, 2, 3]))]


def _some(make: Maker, kinds: Sequence[Callable[[], Resource]], most: int) -> list[Resource]:
    return [make.rng.choice(kinds)() for _ in range(make.rng.randint(0, most))]


def _cms165(make: Maker) -> list[Resource]:
    rng, ends = make.rng, datetime(make.year, 12, 31, tzinfo=UTC)
    july = datetime(make.year, 7, 1, tzinfo=UTC)
    kinds = ["office", "wellness", "established adult", "initial adult", "home care", "virtual", "telephone"]
    visits = [make.visit(rng.choice(kinds)) for _ in range(rng.randint(1, 3))]
    visits += [make.visit(rng.choice(["inpatient", "emergency"])) for _ in range(rng.choice([0, 0, 1]))]

    def pressure() -> Resource:
        parts = [
            {"code": concept(name), "valueQuantity": _mercury(rng.choice(values))}
            for name, values in (("systolic", [120, 120, 139, 140, 160]), ("diastolic", [70, 70, 89, 90, 100]))
            if rng.random() < 0.93
        ]
        told: Resource = {"component": parts}
        if rng.random() < 0.75:
            told["encounter"] = {"reference": f"Encounter/{rng.choice(visits)['id']}"}
        return make.answer("blood pressure", told, category="vital-signs")

    others = [
        lambda: make.problem(rng.choice(["pregnancy", "esrd", "transplanted", "ckd5"])),
        lambda: make.problem(rng.choice(["pregnancy", "esrd", "transplanted", "ckd5"])),
        lambda: make.done(rng.choice(["transplant", "dialysis"])),
        lambda: make.visit("esrd visit"),
    ]
    return [
        make.patient((ends, 18), (ends, 85), (ends, 86), (ends, 66), (ends, 81), (ends, 50), (ends, 50), (ends, 70)),
        *visits,
        *(make.problem("hypertension", july, make.anchors[0]) for _ in range(rng.choice([0, 1, 1, 1, 2]))),
        *(pressure() for _ in range(rng.randint(0, 4))),
        *(_some(make, others, 1) if rng.random() < 0.3 else ()),
        *_left_out(make),
    ]


def _mercury(value: float) -> Resource:
    return {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}


def _percent(value: float) -> Resource:
    return {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}


def _cms122(make: Maker) -> list[Resource]:
    rng, ends = make.rng, datetime(make.year, 12, 31, tzinfo=UTC)
    kinds = ["office", "wellness", "established adult", "initial adult", "home care", "virtual", "telephone"]

    def test() -> Resource:
        value = {"valueQuantity": _percent(rng.choice([6, 9, 9.1, 12]))} if rng.random() < 0.9 else {}
        return make.answer(rng.choice(["hba1c", "gmi"]), value, category="laboratory")

    return [
        make.patient((ends, 18), (ends, 75), (ends, 76), (ends, 66), (ends, 50), (ends, 50), (ends, 70)),
        *(make.visit(rng.choice([*kinds, "nutrition", "nutrition therapy"])) for _ in range(rng.randint(1, 3))),
        *(make.problem("diabetes") for _ in range(rng.choice([0, 1, 1, 1, 2]))),
        *(test() for _ in range(rng.randint(0, 4))),
        *_left_out(make),
    ]


def _cms155(make: Maker) -> list[Resource]:
    rng, ends = make.rng, datetime(make.year, 12, 31, tzinfo=UTC)
    kinds = ["office", "individual", "established child", "initial child", "group", "home care", "telephone"]
    units = {"bmi": _percent(60), "height": {"value": 120, "unit": "cm"}, "weight": {"value": 25, "unit": "kg"}}

    def measured(name: str) -> Resource:
        value = {"valueQuantity": units[name]} if rng.random() < 0.93 else {}
        return make.answer(name, value, category="vital-signs")

    return [
        make.patient((ends, 3), (ends, 17), (ends, 18), (ends, 9), (ends, 12)),
        *(make.visit(rng.choice(kinds)) for _ in range(rng.randint(1, 3))),
        *(measured(name) for name in units for _ in range(rng.choice([0, 1, 1, 2]))),
        *(make.done(name) for name in ("for nutrition", "for activity") for _ in range(rng.choice([0, 1, 1]))),
        *([make.problem("pregnancy")] if rng.random() < 0.2 else ()),
        *_left_out(make),
    ]


def _cms2(make: Maker) -> list[Resource]:
    rng, begins = make.rng, make.anchors[0]
    visits = [make.visit(rng.choice(["to screen", "physical therapy", "telephone"])) for _ in range(rng.randint(1, 3))]
    starts = [datetime.fromisoformat(each["period"]["start"]) for each in visits]
    near = [start - timedelta(days=days) for start in starts for days in (0, 0, 14)]
    after = [start + timedelta(days=days) for start in starts for days in (0, 0, 2)]

    def screening() -> Resource:
        kind = rng.choice(["adolescents", "adults", "adults"])
        answer = rng.choice(["negative", "negative", "positive", "positive", "positive", "yes", ""])
        value = {"valueCodeableConcept": concept(answer)} if answer else {}
        return make.answer(f"screening of {kind}", value, *near)

    def cancelled() -> Resource:
        why = rng.choice([[], ["declined"], ["medical reason"], ["yes"]])
        told = [{"url": NOT_DONE, "valueCodeableConcept": concept(each)} for each in why]
        one = make.answer(f"screening of {rng.choice(['adolescents', 'adults'])}", {}, *near)
        one |= {"status": "cancelled", "issued": make.written(make.near(*starts), dates=False)}
        return one | ({"extension": told} if told else {})

    def followed() -> Resource:
        kind = rng.choice(["adolescents", "adults", "adults"])
        return rng.choice(
            [
                lambda: make.drug(f"drugs of {kind}", *after),
                lambda: make.drug(f"drugs of {kind}", *after),
                lambda: make.order("ServiceRequest", f"referral of {kind}", *after),
                lambda: make.done(f"follow up of {kind}", *starts),
            ]
        )()

    return [
        make.patient((begins, 12), (begins, 17), (begins, 18), (begins, 40), (begins, 40), (begins, 15)),
        *visits,
        *(screening() for _ in range(rng.randint(0, 3))),
        *(followed() for _ in range(rng.randint(0, 4))),
        *(cancelled() for _ in range(rng.choice([0, 0, 1]))),
        *([make.problem("bipolar", *starts)] if rng.random() < 0.3 else ()),
    ]


def _cms159(make: Maker) -> list[Resource]:
    rng = make.rng
    edges = datetime(make.year - 2, 11, 1, tzinfo=UTC), datetime(make.year - 1, 11, 1, tzinfo=UTC)
    middle = datetime(make.year - 1, 4, 10, 9, tzinfo=UTC)
    visits = [make.visit("contact", *edges, middle, middle) for _ in range(rng.randint(1, 3))]
    starts = [datetime.fromisoformat(each["period"]["start"]) for each in visits]
    first = [start - timedelta(days=days) for start in starts for days in (0, 0, 7)]
    later = [start + timedelta(days=days) for start in starts for days in (305, 365, 365, 425)]
    anchors = (*edges, *later)

    def score(values: Sequence[int], *when: datetime) -> Resource:
        return make.answer("phq-9", {"valueInteger": rng.choice(values)}, *when)

    patient = make.patient((starts[0], 12), (starts[0], 40), (starts[0], 40))
    if rng.random() < 0.15:
        patient["deceasedDateTime"] = make.written(make.near(*later))
    yes = {"valueCodeableConcept": concept("yes")}
    others: list[Callable[[], Resource]] = [
        lambda: make.problem(rng.choice(["bipolar", "personality", "schizophrenia", "developmental"]), *anchors),
        lambda: make.visit("inpatient", *anchors, hospitalization={"dischargeDisposition": concept("to hospice home")}),
        lambda: make.visit("hospice visit", *anchors),
        lambda: make.answer("hospice asked", yes, *anchors),
        lambda: make.order("ServiceRequest", "hospice care", *anchors),
        lambda: make.done("hospice care", *anchors),
        lambda: make.problem("hospice diagnosis", *anchors),
        lambda: make.answer("palliative asked", yes, *anchors),
        lambda: make.problem("palliative diagnosis", *anchors),
        lambda: make.visit("palliative visit", *anchors),
        lambda: make.done("palliative care", *anchors),
    ]
    return [
        patient,
        *visits,
        *(make.problem(rng.choice(["depression", "dysthymia"]), *starts, *edges) for _ in range(rng.choice([1, 1, 2]))),
        *(score([9, 10, 20, 20], *first) for _ in range(rng.randint(1, 3))),
        *(score([3, 4, 4, 5, 12], *later) for _ in range(rng.randint(0, 3))),
        *_some(make, others, 2),
    ]


MEASURES = {"CMS2": _cms2, "CMS122": _cms122, "CMS155": _cms155, "CMS159": _cms159, "CMS165": _cms165}


def patient_of(measure: str, year: int, seed: int) -> list[Resource]:
    """The resources of a random patient."""
    rng = Random(f"{measure} {year} {seed}")
    resources = MEASURES[measure](Maker(rng, year))
    rng.shuffle(resources)
    return resources
