"""What orders are read with comes by every road: asked for by id where it did not come, once, and again only what is left."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from connectors.landing import Landing
from connectors.pulling import Capabilities, readable, units
from connectors.referred import AT_ONCE
from schemas.errors import IncompleteError, OperatorError, TemporaryError
from schemas.outcomes import DEFAULT_TYPES
from schemas.sites import Site

BASE = "http://127.0.0.1:1/fhir"
Json = dict[str, Any]


def order(number: int, medication: str) -> Json:
    reference = {"reference": medication, "display": "Medication/not-this"}
    return {"resourceType": "MedicationRequest", "id": f"rx{number}", "medicationReference": reference}


def drug(name: str) -> Json:
    return {"resourceType": "Medication", "id": name}


class Hospital(httpx2.BaseTransport):
    """A server of orders and of the Medications it has; an export holds the orders alone, unless told otherwise."""

    def __init__(self, fhir: Any, orders: list[Json], drugs: list[str], exported: list[Json] | None = None) -> None:
        self.fhir, self.orders, self.drugs = fhir, orders, drugs
        self.exported = exported or []
        self.asked: list[list[str]] = []
        self.kick_offs: list[str] = []
        self.refuses: set[str] = set()
        self.unknown = ""
        self.breaks_after: int | None = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        path, params = request.url.path.removeprefix("/fhir/"), request.url.params
        if path == self.unknown:
            return httpx2.Response(404)
        if path == "Medication":
            return self._medications(params["_id"].split(","))
        if path == "MedicationRequest":
            return httpx2.Response(200, json=self.fhir.bundle(*self.orders, total=len(self.orders)))
        if path == "metadata":
            return httpx2.Response(200, json={"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        if path.endswith("$export"):
            self.kick_offs.append(params["_type"])
            asked = params["_type"].split(",")
            refused = ("export" in self.refuses and "Medication" in asked) or self.unknown in asked
            return httpx2.Response(400 if refused else 202, headers={"Content-Location": f"{BASE}/status"})
        if path == "status":
            return self._status(request.method)
        found = self.orders if path.endswith("orders") else self.exported
        return httpx2.Response(200, content="".join(json.dumps(each) + "\n" for each in found))

    def _medications(self, ids: list[str]) -> httpx2.Response:
        if "search" in self.refuses:
            return httpx2.Response(403)
        if self.breaks_after is not None and len(self.asked) >= self.breaks_after:
            raise httpx2.ConnectError("away")
        self.asked.append(ids)
        return httpx2.Response(200, json=self.fhir.bundle(*(drug(each) for each in ids if each in self.drugs)))

    def _status(self, method: str) -> httpx2.Response:
        output = [{"type": "MedicationRequest", "url": f"{BASE}/files/orders"}]
        output += [{"type": "Medication", "url": f"{BASE}/files/drugs"}] if self.exported else []
        manifest = {
            "transactionTime": "2030-01-01T11:00:00Z",
            "requiresAccessToken": False,
            "output": output,
            "error": [],
        }
        return httpx2.Response(202) if method == "DELETE" else httpx2.Response(200, json=manifest)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site(fhir={"base_url": BASE}, types=["MedicationRequest", "Medication"])


ORDERS = [
    order(1, "Medication/a"),
    order(2, "Medication/a"),
    order(3, f"{BASE}/Medication/b/_history/3"),
    order(4, "https://elsewhere.example/fhir/Medication/foreign"),
    order(5, "#inside"),
]


def test_a_search_brings_the_medications_its_orders_name_once(
    pull_unit: Any, site: Site, fhir: Any, ids: Any, landing: Landing
) -> None:
    """Counted by their own type; those of other servers are not looked for here."""
    server = Hospital(fhir, ORDERS, ["a", "b"])
    pulled = pull_unit(site, "MedicationRequest", transport=server)
    assert server.asked == [["a", "b"]]
    assert ids("Medication") == ["a", "b"]
    assert ids("MedicationRequest") == ["rx1", "rx2", "rx3", "rx4", "rx5"]
    assert (pulled.types, pulled.resources, pulled.notes) == ({"MedicationRequest": 5, "Medication": 2}, 7, [])
    assert pull_unit(site, "MedicationRequest", transport=server) == pulled
    assert len(server.asked) == 1


def test_many_are_asked_for_in_batches_and_what_the_server_lacks_is_said(
    pull_unit: Any, site: Site, fhir: Any, ids: Any
) -> None:
    named = [f"m{number:03}" for number in range(AT_ONCE * 2 + 3)]
    server = Hospital(fhir, [order(n, f"Medication/{name}") for n, name in enumerate(named)], named[:-2])
    pulled = pull_unit(site, "MedicationRequest", transport=server)
    assert [len(some) for some in server.asked] == [AT_ONCE, AT_ONCE, 3]
    assert ids("Medication") == named[:-2]
    assert pulled.complete
    assert pulled.notes == ["the server has 2 fewer of the type Medication than MedicationRequest names"]


def test_ids_longer_than_fhir_allows_are_asked_for_in_addresses_that_every_server_takes(
    pull_unit: Any, site: Site, fhir: Any, ids: Any
) -> None:
    """Epic has such."""
    named = [f"{number:03}{'e' * 117}" for number in range(40)]
    server = Hospital(fhir, [order(number, f"Medication/{each}") for number, each in enumerate(named)], named)
    assert pull_unit(site, "MedicationRequest", transport=server).notes == []
    assert sorted(ids("Medication")) == named
    assert max(len(",".join(some)) for some in server.asked) < 2000


def test_after_a_crash_only_the_rest_is_asked_for(
    pull_unit: Any, site: Site, fhir: Any, ids: Any, landing: Landing
) -> None:
    """What stands behind the last whole batch is cut off."""
    named = [f"m{number:03}" for number in range(AT_ONCE * 2)]
    server = Hospital(fhir, [order(n, f"Medication/{name}") for n, name in enumerate(named)], named)
    server.breaks_after = 1
    with pytest.raises(TemporaryError):
        pull_unit(site, "MedicationRequest", transport=server)
    (path,) = landing.files("Medication")
    with path.open("ab") as file:
        file.write(b"half a member")
    server.breaks_after = None
    pulled = pull_unit(site, "MedicationRequest", transport=server)
    assert server.asked == [named[:AT_ONCE], named[AT_ONCE:]]
    assert ids("Medication") == named
    assert pulled.types["Medication"] == len(named)


def test_an_export_without_medications_is_completed_by_search(
    pull_unit: Any, make_site: Any, fhir: Any, ids: Any
) -> None:
    """A vendor that exports none is not asked for them there."""
    site = make_site(
        road="bulk", fhir={"base_url": BASE, "vendor": "cerner"}, types=["MedicationRequest", "Medication"]
    )
    server = Hospital(fhir, ORDERS, ["a", "b"])
    pulled = pull_unit(site, "export", transport=server)
    assert server.kick_offs == ["MedicationRequest"]
    assert server.asked == [["a", "b"]]
    assert ids("Medication") == ["a", "b"]
    assert pulled.types == {"MedicationRequest": 5, "Medication": 2}


def test_an_export_with_some_medications_is_asked_for_the_others_alone(
    pull_unit: Any, make_site: Any, fhir: Any, ids: Any
) -> None:
    """The order is new, its Medication older than the window."""
    site = make_site(road="bulk", fhir={"base_url": BASE}, types=["MedicationRequest", "Medication"])
    server = Hospital(fhir, ORDERS, ["a", "b"], exported=[drug("b")])
    pulled = pull_unit(site, "export", transport=server)
    assert server.kick_offs == ["MedicationRequest,Medication"]
    assert server.asked == [["a"]]
    assert sorted(ids("Medication")) == ["a", "b"]
    assert pulled.types == {"MedicationRequest": 5, "Medication": 2}


def test_a_server_that_exports_no_patientless_type_is_asked_without(pull_unit: Any, make_site: Any, fhir: Any) -> None:
    """And refused reading of Medications is said; the export itself is whole."""
    site = make_site(road="bulk", fhir={"base_url": BASE}, types=["MedicationRequest", "Medication"])
    server = Hospital(fhir, ORDERS, ["a", "b"])
    server.refuses = {"export", "search"}
    pulled = pull_unit(site, "export", transport=server)
    assert server.kick_offs[-1] == "MedicationRequest"
    assert (pulled.complete, pulled.types) == (True, {"MedicationRequest": 5})
    assert [note.partition(":")[0] for note in pulled.notes] == ["Medication"]


def test_a_server_that_refuses_all_for_one_type_is_asked_for_what_every_server_has(
    pull_unit: Any, make_site: Any, fhir: Any
) -> None:
    """What was left out is looked for by search, and is no part of the export."""
    site = make_site(road="bulk", fhir={"base_url": BASE}, types=["MedicationRequest", "Goal", "Medication"])
    server = Hospital(fhir, ORDERS, ["a", "b"])
    server.unknown = "Goal"
    pulled = pull_unit(site, "export", transport=server)
    assert server.kick_offs[-1] == "MedicationRequest"
    assert pulled.types == {"MedicationRequest": 5, "Medication": 2}
    assert [(each.type, each.cause) for each in pulled.short] == [("Goal", "not-exported")]


def test_a_search_that_may_not_read_medications_is_no_whole_one(pull_unit: Any, site: Site, fhir: Any) -> None:
    """Its orders would be without drugs; the watermark stays until it may."""
    server = Hospital(fhir, ORDERS, ["a"])
    server.refuses = {"search"}
    with pytest.raises((OperatorError, IncompleteError)):
        pull_unit(site, "MedicationRequest", transport=server)


def test_types_that_nobody_named_are_read_where_the_server_has_them(make_site: Any) -> None:
    """A site that names its types is asked for all of them. Who pays is read by those alone that name it."""
    server = Capabilities(fhir_version="4.0.1", types={"Patient": [], "MedicationRequest": [], "Device": []})
    named = make_site(types=["Patient", "MedicationDispense"])
    usual = Site.model_validate(named.model_dump(mode="json", exclude={"types"}))
    assert readable(usual, server) == ["Patient", "MedicationRequest"]
    assert readable(usual, None) == readable(usual, Capabilities(fhir_version="4.0.1")) == [*DEFAULT_TYPES]
    assert readable(named, server) == ["Patient", "MedicationDispense"]


def test_a_folder_has_medications_as_a_unit_and_a_server_has_not(make_site: Any) -> None:
    folder = make_site(files={"folder": "in"}, road="files", types=["MedicationRequest"])
    assert units(folder, None) == ["MedicationRequest", "Medication"]
    assert units(make_site(types=["MedicationRequest"], road="search"), None) == ["MedicationRequest"]
    assert units(make_site(files={"folder": "in"}, road="files", types=["Patient"]), None) == ["Patient"]


class Clinic(httpx2.BaseTransport):
    """A server of answers; its Questionnaires are found by id, by URL, or not at all."""

    def __init__(self, fhir: Any, named: list[str], *, refuses: bool = False) -> None:
        self.fhir, self.named, self.refuses = fhir, named, refuses
        self.asked: list[tuple[str, str]] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        path, params = request.url.path.removeprefix("/fhir/"), request.url.params
        if path == "QuestionnaireResponse":
            answers = [
                {"resourceType": path, "id": f"a{number}", "questionnaire": name}
                for number, name in enumerate(self.named)
            ]
            return httpx2.Response(200, json=self.fhir.bundle(*answers, total=len(answers)))
        if self.refuses:
            return httpx2.Response(404)
        (by,) = {"_id", "url"} & set(params)
        self.asked.append((by, params[by]))
        found = [
            {"resourceType": "Questionnaire", "id": f"{by}-{number}", by.removeprefix("_"): each}
            for number, each in enumerate(params[by].split(","))
        ]
        return httpx2.Response(200, json=self.fhir.bundle(*found))


FORMS = [
    "Questionnaire/7|2.0",
    f"{BASE}/Questionnaire/8",
    "https://forms.example/mood|1",
    "https://forms.example/mood",
    "#in",
]


def test_a_search_brings_the_questionnaires_its_answers_name_by_id_and_by_url(
    pull_unit: Any, make_site: Callable[..., Site], fhir: Any
) -> None:
    """Each once, whatever version is named."""
    server = Clinic(fhir, FORMS)
    site = make_site(fhir={"base_url": BASE}, types=["QuestionnaireResponse"])
    pulled = pull_unit(site, "QuestionnaireResponse", transport=server)
    assert server.asked == [("_id", "7,8"), ("url", "https://forms.example/mood")]
    assert (pulled.types, pulled.notes) == ({"QuestionnaireResponse": 5, "Questionnaire": 3}, [])


def test_a_server_without_questionnaires_lacks_nothing(
    pull_unit: Any, make_site: Callable[..., Site], fhir: Any
) -> None:
    """Answers stand without them: it is said, and the type is whole."""
    site = make_site(fhir={"base_url": BASE}, types=["QuestionnaireResponse"])
    pulled = pull_unit(site, "QuestionnaireResponse", transport=Clinic(fhir, FORMS, refuses=True))
    assert pulled.complete
    assert (pulled.types, pulled.short) == ({"QuestionnaireResponse": 5}, [])
    (note,) = pulled.notes
    assert note.startswith("Questionnaire: ")
