"""Patient → person. Names, telecom, identifiers, contacts and all of the address but the ZIP code and, where the site
names its own place, the position are not read."""

from transforms.rules import (
    Resource,
    birth_date,
    boolean,
    choice,
    died,
    extensions,
    gone_if_wrong,
    home,
    noted_if_false,
    noted_links,
    one_of,
    other_version,
    out_of_order,
    preferred_language,
    test_name,
    the_patient,
    unless_masked,
    us_core,
)

# HL7 table 0001.
SEX_SPELT = {"m": "male", "f": "female", "o": "other", "a": "other", "u": "unknown", "man": "male", "woman": "female"}

RESOURCE = Resource(
    source="Patient",
    record="person",
    version=1,
    subject={"id": the_patient()},
    contradictions=(out_of_order("died-before-birth", "birth_date", "death_date"),),
    fields={
        "birthDate": birth_date("birth_date"),
        "gender": one_of("sex", ("male", "female", "other", "unknown"), spellings=SEX_SPELT),
        "active": noted_if_false("patient-inactive"),
        "link": noted_links("patient-linked"),
        "name": test_name(),
        "extension": extensions(
            us_core(race="race", ethnicity="ethnicity", birth_sex="birth_sex", gender_identity="gender_identity")
        ),
        "address": home(zip5="zip5", distance="distance"),
        "communication": preferred_language("language"),
        "deceased[x]": choice(
            wins="deceasedDateTime",
            deceasedBoolean=boolean("deceased"),
            deceasedDateTime=died(flag="deceased", date="death_date"),
        ),
        "_birthDate": unless_masked(),
        "_gender": unless_masked(),
        "_deceasedDateTime": unless_masked(),
        "status": gone_if_wrong(),
        "animal": other_version(),  # STU3
    },
)
