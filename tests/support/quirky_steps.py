"""What hospitals do oddly, as steps that are put together: faults of searches, pages, tokens and exports, for some nights."""

from collections.abc import Callable
from typing import Any

from hospital_with_faults import Answered, Asked
from quirky_hospitals import TYPES, Json, Place, on, refused

PARTIAL = ("partial", "completed")
TOKEN = (
    '[fhir.auth]\nmethod = "client-credentials"\nclient_id = "c1"\nsecret = "file:secret"\ntoken_url = "BASE/token"\n'
)
COHORT = '[cohort]\npatients = "file:roster.txt"\n'
Answer = Callable[[Place, Asked], Answered | None]


def of_types(
    answer: Answer, types: tuple[str, ...] = TYPES, nights: tuple[int, ...] = (1, 2)
) -> Callable[[Place], None]:
    """A fault of searches for some types, on some nights."""
    return lambda place: place.fault(
        lambda asked: answer(place, asked) if asked.path in types and place.night in nights else None
    )


def weights(answer: Answer, nights: tuple[int, ...] = (1, 2)) -> Callable[[Place], None]:
    return of_types(answer, ("Observation",), nights)


def once(
    path: str, answered: Callable[[Place, Asked], Answered], times: int = 1, after: int = 0
) -> Callable[[Place], None]:
    """What a path answers each night, a few times and then no more; `*` stands for what follows, `after`: what comes before."""

    def arrange(place: Place) -> None:
        met = {1: 0, 2: 0}

        def fault(asked: Asked) -> Answered | None:
            fits = asked.path.startswith(path[:-1]) if path.endswith("*") else asked.path == path
            if not fits or asked.method == "DELETE":
                return None
            met[place.night] += 1
            return answered(place, asked) if after < met[place.night] <= after + times else None

        place.fault(fault)

    return arrange


def always(answered: Answered) -> Callable[[Place, Asked], Answered]:
    return lambda _place, _asked: answered


def capped(size: int) -> Callable[[Place], None]:
    return lambda place: setattr(place.server, "cap", size)


def knows(*names: str) -> Callable[[Place], None]:
    return lambda place: setattr(place.server, "understands", {"_count", "_lastUpdated", "_summary", *names})


def uncounted(place: Place) -> None:
    place.server.counts = False


def page_of(place: Place, asked: Asked) -> Json:
    return place.server._page(asked.path, asked)


def links_as(written: Callable[[Place, str], str]) -> Answer:
    """Pages whose links are written otherwise."""

    def page(place: Place, asked: Asked) -> Answered:
        found = page_of(place, asked)
        for link in found.get("link", []):
            link["url"] = written(place, link["url"])
        return Answered(found)

    return page


def wants_patient(place: Place) -> None:
    place.server.understands |= {"patient", "_id"}
    plain = on("Observation", lambda asked: None if asked.value("patient") or asked.value("page") else refused())
    place.fault(plain)


def sorted_by_updates(place: Place) -> None:
    """Each weight of its own moment, so that windows part them."""
    for number, row in enumerate(place.server.resources["Observation"]):
        row["meta"] = {"lastUpdated": f"2026-02-{number + 1:02}T00:00:00Z"}


def gives_tokens(place: Place) -> None:
    token = Answered({"access_token": "t", "expires_in": "600", "token_type": "Bearer"})
    place.fault(on("token", lambda asked: token))


def on_token(answered: Answered) -> Callable[[Place], None]:
    return lambda place: place.fault(on("token", lambda asked: answered))


def wants_tokens(place: Place) -> None:
    """Whoever shows none is asked to log in, but where the statement stands."""
    gives_tokens(place)

    def door(asked: Asked) -> Answered | None:
        known = {name.lower() for name in asked.headers}
        return None if asked.path in ("token", "metadata") or "authorization" in known else refused("login", 401)

    place.fault(door)


def cut_short(place: Place, asked: Asked) -> Answered:
    return Answered(page_of(place, asked), cut=40)


def roster(*lines: str, encoding: str = "utf-8") -> Callable[[Place], None]:
    """A list of everybody's ids, written as somebody writes them."""

    def arrange(place: Place) -> None:
        place.server.understands |= {"_id", "patient"}
        path = place.folder / "roster.txt"
        path.write_bytes("".join(lines).encode(encoding))
        path.chmod(0o600)

    return arrange


def everybody(written: Callable[[int], str]) -> list[str]:
    return [written(number) for number in range(13)]


def output(place: Place, written: Callable[[str], str] = str) -> list[Json]:
    return [{"type": name, "url": written(place.exports.url(f"files/{name}"))} for name in TYPES]


def manifest_says(**values: Any) -> Callable[[Place], None]:
    return lambda place: place.exports.manifest.update(values)


def waits_first(*answers: Answered) -> Callable[[Place], None]:
    """The status says each night what is given here before the manifest comes."""

    def arrange(place: Place) -> None:
        left = {1: list(answers), 2: list(answers)}

        def status(asked: Asked) -> Answered | None:
            fits = asked.path.startswith("jobs/") and asked.method == "GET" and left[place.night]
            return left[place.night].pop(0) if fits else None

        place.fault(status)

    return arrange


def file_of(lines: Callable[[list[Json]], bytes], nights: tuple[int, ...] = (1, 2)) -> Callable[[Place], None]:
    """The file of weights holds what is made of them."""

    def fault(place: Place) -> Callable[[Asked], Answered | None]:
        def answer(asked: Asked) -> Answered | None:
            if asked.path != "files/Observation" or place.night not in nights:
                return None
            return Answered(lines(place.server.resources["Observation"]))

        return answer

    return lambda place: place.fault(fault(place))
