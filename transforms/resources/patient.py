"""Patient → person. Names, telecom, identifiers, contacts and all of the address but the ZIP code and, where the site
names its own place, the position are not read."""

from transforms.rules import (
    Resource,
    birth_date,
    boolean,
    choice,
    died,
    died_in_words,
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

# HL7 table 0001, and words of other languages.
SEX_SPELT = {
    **dict.fromkeys(("m", "man", "männlich", "masculin", "masculino", "homme", "hombre", "mannelijk"), "male"),
    **dict.fromkeys(("f", "woman", "weiblich", "féminin", "femenino", "femme", "mujer", "vrouwelijk"), "female"),
    **dict.fromkeys(("o", "a", "divers"), "other"),
    **dict.fromkeys(("u", "unbekannt"), "unknown"),
}

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
            us_core(
                race="race",
                ethnicity="ethnicity",
                birth_sex="birth_sex",
                sex="recorded_sex",
                gender_identity="gender_identity",
            )
        ),
        "address": home(zip5="zip5", distance="distance"),
        "communication": preferred_language("language"),
        "deceased[x]": choice(
            wins="deceasedDateTime",
            deceasedBoolean=boolean("deceased"),
            deceasedDateTime=died(flag="deceased", date="death_date"),
            # Types that FHIR's deceased[x] has in other resources
            deceasedDate=died(flag="deceased", date="death_date"),
            deceasedString=died_in_words(flag="deceased", date="death_date"),
        ),
        "_birthDate": unless_masked(),
        "_gender": unless_masked(),
        "_deceasedDateTime": unless_masked(),
        "status": gone_if_wrong(),
        "animal": other_version(),  # STU3
    },
)
