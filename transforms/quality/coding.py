"""Facts without a code of the system that is wanted."""

from collections.abc import Callable, Iterator

from transforms.quality import About, Check
from transforms.quality.facts import Fact, Person
from transforms.quality.kinds.each import Seen, each

_CODED: dict[str, Callable[[Fact], object]] = {
    "condition": lambda fact: fact.code or fact.icd10cm,
    "immunization": lambda fact: fact.code,
    "medication": lambda fact: fact.code,
    "observation": lambda fact: fact.code,
    "procedure": lambda fact: fact.code,
}


def _look(person: Person, _: About) -> Iterator[Seen]:
    for fact in person.facts:
        if (code := _CODED.get(fact.type)) is not None:
            yield Seen(fact.type, None if code(fact) else fact.id)


CHECK = Check(
    kind="conformance",
    what="facts without a code of the system that is wanted (LOINC, SNOMED CT, ICD-10-CM, RxNorm, CVX)",
    tolerated=0.2,
    source="80 % coded, as PCORnet asks of orders and laboratory results (data checks 3.08, 3.09)",
    fix="Write the most frequent local codes into the site's code map: the check `unmapped` and `mainstem codes` list them.",
    who="site IT",
    begin=each(_look),
)
