"""Whether families are heard alike, by group; and nothing of few."""

from datetime import timedelta

from services_cases import record_id, subject_id
from services_story import NOW, fill, person
from sqlalchemy import Engine, insert

from schemas.outcomes import Coverage, Person
from services.people.equality import GROUPS, heard_by
from services.people.issues import FAMILY, About, answer_issue, issues_seen, raise_issue
from services.registry.database import reading, writing
from services.registry.erasure import hand_of
from services.registry.tables import family_link


def made(name: str, language: str) -> Person:
    """Who speaks English is of one race and lives far away."""
    english = language == "en"
    told = {"language": language, "race": ["2106-3"] if english else ["2028-9", "2106-3"]}
    return person(name).model_copy(update=told | ({"distance": "50-99"} if english else {}))


def covered(name: str) -> Coverage:
    """Medicaid pays."""
    return Coverage(id=record_id(f"pays{name}"), subject=subject_id(name), site="north", payer="2", status="active")


def test_families_are_counted_by_language_and_few_are_not_told(small_registry: Engine) -> None:
    """Twelve who speak English are answered, twelve who speak Spanish wait; of three who speak Somali nothing stands there."""
    groups = {"en": 12, "es": 12, "so": 3}
    names = [(language, f"{language}{number}") for language, count in groups.items() for number in range(count)]
    fill(small_registry, [made(name, language) for language, name in names])
    fill(small_registry, [covered(name) for language, name in names if language == "en"])
    with writing(small_registry) as connection:
        for language, name in names:
            way = {"id": name, "code": name, "site": "north", "subject": subject_id(name), "who": "self", "by": "R"}
            connection.execute(insert(family_link).values(**way, made=NOW, expires=NOW))
            at = NOW - timedelta(days=40)
            ident = raise_issue(
                connection, About.CARE, f"Of {name}", site="north", role=FAMILY, by=hand_of(name), at=at
            )
            if language == "en":
                answer_issue(connection, ident, "Yes", role="clinician", by="c", at=NOW - timedelta(days=30))
    with reading(small_registry) as connection:
        raised = issues_seen(connection, None)
        rows = heard_by(connection, raised, NOW, "language")
        others = {group: heard_by(connection, raised, NOW, group) for group in GROUPS}
    assert [(each.role, each.raised, each.answered, each.median_days, each.late) for each in rows] == [
        ("en", 12, 12, 10, 0),
        ("es", 12, 0, None, 12),
    ]
    assert {group: [(each.role, each.raised) for each in rows] for group, rows in others.items()} == {
        "language": [("en", 12), ("es", 12)],
        "race": [("2106-3", 12), ("several", 15)],
        "ethnicity": [("", 27)],
        "payer": [("", 15), ("2", 12)],
        "distance": [("", 15), ("50-99", 12)],
    }
