"""Whether families are heard alike, by group; and nothing of few."""

from datetime import timedelta

from services_cases import subject_id
from services_story import NOW, fill, person
from sqlalchemy import Engine, insert

from services.people.equality import heard_by
from services.people.issues import FAMILY, About, answer_issue, issues_seen, raise_issue
from services.registry.database import reading, writing
from services.registry.erasure import hand_of
from services.registry.tables import family_link


def test_families_are_counted_by_language_and_few_are_not_told(small_registry: Engine) -> None:
    """Twelve who speak English are answered, twelve who speak Spanish wait; of three who speak Somali nothing stands there."""
    groups = {"en": 12, "es": 12, "so": 3}
    names = [(language, f"{language}{number}") for language, count in groups.items() for number in range(count)]
    fill(small_registry, [person(name).model_copy(update={"language": language}) for language, name in names])
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
        rows = heard_by(connection, issues_seen(connection, None), NOW, "language")
    assert [(each.role, each.raised, each.answered, each.median_days, each.late) for each in rows] == [
        ("en", 12, 12, 10, 0),
        ("es", 12, 0, None, 12),
    ]
