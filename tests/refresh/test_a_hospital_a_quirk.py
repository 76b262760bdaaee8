"""One hospital a quirk, each over two nights, the second with changes: what is held, nothing twice, status, watermark, words.

Twelve children, each with a weight. On the second night one child and one weight are corrected, and a thirteenth child
with a weight has come. A quirk that costs something costs it by name, and a later night brings it.
"""

import ast
import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exporting import ndjson
from hospital_with_faults import Answered, Asked, FaultyHospital, serving
from quirky_hospitals import FIRST, TYPES, Json, Nights, Place, Quirk, both, child, on, refused, says, two_nights

TESTS = Path(__file__).parents[1]


# ---------------------------------------------------------------- what hospitals do


def without_last_updated(place: Place) -> None:
    place.server.understands.discard("_lastUpdated")


def wants_category(place: Place) -> None:
    place.server.understands.add("category")
    place.fault(on("Observation", lambda asked: None if asked.value("category") or asked.value("page") else refused()))


def rejects_categories(place: Place) -> None:
    rejected = {"procedure", "therapy", "activity"}
    place.fault(on("Observation", lambda asked: refused("value") if asked.value("category") in rejected else None))


def tells_in_its_pages(severity: str, code: str) -> Callable[[Place], None]:
    """An OperationOutcome among the results of every page of weights on the first night."""

    def arrange(place: Place) -> None:
        def page(asked: Asked) -> Answered | None:
            if place.night > 1 or asked.value("_summary"):
                return None
            bundle = place.server._page("Observation", asked)
            issue = [
                {"severity": severity, "code": code, "details": {"coding": [{"code": "4119"}]}, "diagnostics": "Roe"}
            ]
            outcome = {"resource": {"resourceType": "OperationOutcome", "issue": issue}, "search": {"mode": "outcome"}}
            return Answered({**bundle, "entry": [*bundle["entry"], outcome]})

        place.fault(on("Observation", page))

    return arrange


def wants_header(name: str) -> Callable[[Place], None]:
    def arrange(place: Place) -> None:
        def fault(asked: Asked) -> Answered | None:
            known = asked.path in ("token", "metadata") or name in {each.lower() for each in asked.headers}
            return None if known else refused("login", 403)

        place.fault(fault)

    return arrange


def gives_tokens(*before: Answered) -> Callable[[Place], None]:
    """A token endpoint that answers otherwise first."""

    def arrange(place: Place) -> None:
        left = list(before)
        token = Answered({"access_token": "t", "expires_in": 600, "token_type": "bearer"})
        place.fault(on("token", lambda asked: left.pop(0) if left else token))

    return arrange


def once_a_night(kind: str, answer: Callable[[], Answered], when: Callable[[Asked], bool] = lambda asked: True) -> Any:
    """The first question of each night that fits is answered so."""

    def arrange(place: Place) -> None:
        nights = set[int]()

        def fault(asked: Asked) -> Answered | None:
            if place.night in nights or not when(asked):
                return None
            nights.add(place.night)
            return answer()

        place.fault(on(kind, fault))

    return arrange


def on_night(night: int, kind: str, answer: Callable[[Place, Asked], Answered | None]) -> Callable[[Place], None]:
    return lambda place: place.fault(on(kind, lambda asked: answer(place, asked) if place.night == night else None))


def capped(size: int) -> Callable[[Place], None]:
    return lambda place: setattr(place.server, "cap", size)


def understanding(*names: str) -> Callable[[Place], None]:
    return lambda place: setattr(place.server, "understands", {*names})


def silent(*, counts: bool = True, links: bool = True) -> Callable[[Place], None]:
    def arrange(place: Place) -> None:
        place.server.counts, place.server.links = counts, links

    return arrange


def says_a_thousand(place: Place) -> None:
    place.server.said_total = lambda total: 1000


def refuses_where(kind: str, wrong: Callable[[Asked], bool]) -> Callable[[Place], None]:
    return lambda place: place.fault(on(kind, lambda asked: refused("not-supported") if wrong(asked) else None))


def moves_a_row(place: Place) -> None:
    """Sorted by time of update: what is written between two pages goes to the front, and hides another."""
    moved = set[int]()

    def fault(asked: Asked) -> None:
        if asked.value("page") == "10" and place.night not in moved:
            moved.add(place.night)
            rows = place.server.resources["Observation"]
            rows.insert(0, rows.pop())

    place.fault(on("Observation", fault))


def dstu2(place: Place) -> None:
    """An order whose author is named as STU3 does stands in the feed."""
    order = {"resourceType": "Observation", "id": "old", "meta": {"lastUpdated": FIRST}, "comments": "Roe"}
    place.server.put(order | {"status": "final", "related": [{"type": "has-member"}], "code": {"text": "x"}})


def from_the_future(place: Place) -> None:
    place.server.put(child(50, "2199-01-01T00:00:00Z", "2010-05-05"))


def moved_elsewhere(place: Place) -> None:
    leads = Answered(b"", 307, {"Location": "http://10.9.8.7/"})
    place.fault(on("Observation", lambda asked: leads if place.night == 1 else None))


def bad_next(place: Place) -> None:
    def page(asked: Asked) -> Answered | None:
        bundle = place.server._page("Observation", asked)
        for link in bundle["link"]:
            link["url"] = link["url"].replace(place.server.base_url, "http://10.9.8.7/fhir")
        return Answered(bundle) if place.night == 1 and bundle["link"] else None

    place.fault(on("Observation", page))


def episodes(place: Place) -> None:
    """One, that a search without a type refuses to look for."""
    episode = {"resourceType": "EpisodeOfCare", "id": "ep-1", "meta": {"lastUpdated": FIRST}, "status": "active"}
    cystic = {"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}]}
    place.server.put(
        episode | {"type": [cystic], "patient": {"reference": "Patient/kid-1"}, "period": {"start": "2020"}}
    )
    nothing = Answered({"resourceType": "Bundle", "type": "searchset", "total": 0})

    def search(asked: Asked) -> Answered | None:
        return None if asked.value("type") == "diab" else nothing if asked.value("type") else refused()

    place.fault(on("EpisodeOfCare", search))


def stays_in_hospital(place: Place) -> None:
    """One visit, of a type whose search takes `_count` beside a patient alone."""
    visit = {"resourceType": "Encounter", "id": "v-1", "meta": {"lastUpdated": FIRST}, "status": "finished"}
    place.server.put(visit | {"class": {"code": "AMB"}, "subject": {"reference": "Patient/kid-1"}})
    refuses_where("Encounter", lambda asked: bool(asked.value("_count")) and not asked.value("patient"))(place)


def quota_runs_out(place: Place) -> None:
    def page(asked: Asked) -> Answered | None:
        few = {"X-RateLimit-Remaining": "3"}
        return Answered(place.server._page("Observation", asked), headers=few) if place.night == 1 else None

    place.fault(on("Observation", page))


# ---------------------------------------------------------------- of exports


def file_of(place: Place, kind: str, suffix: str = "") -> Json:
    return {"type": kind, "url": place.exports.url(f"files/{kind}{suffix}")}


def in_two_files(place: Place) -> None:
    again = file_of(place, "Observation", "@again")
    place.exports.manifest["output"] = [file_of(place, "Patient"), file_of(place, "Observation"), again]


def in_pages(place: Place) -> None:
    """Each file on a page of the manifest of its own."""

    def page(asked: Asked) -> Answered | None:
        if not asked.path.startswith("jobs/") or asked.method != "GET":
            return None
        last = asked.value("page") == "2"
        manifest = {"transactionTime": place.exports.transaction_time, "requiresAccessToken": False}
        link = [] if last else [{"relation": "next", "url": place.exports.url(f"{asked.path}?page=2")}]
        return Answered({**manifest, "output": [file_of(place, TYPES[last])], "link": link})

    place.fault(page)


def error_file(place: Place) -> None:
    """The export says of its conditions' weights that they are not all: on the first night."""
    issue = [{"severity": "error", "code": "exception", "diagnostics": "Observation of Roe, Jane failed"}]
    place.exports.files["errors"] = ndjson({"resourceType": "OperationOutcome", "issue": issue})
    entry = [{"type": "OperationOutcome", "url": place.exports.url("files/errors")}]
    place.exports.manifest["error"] = entry


def heals(act: Callable[[Place], Any]) -> Callable[[Place], None]:
    """What is done before the second night: the fault is gone."""
    return lambda place: setattr(place, "heal", act)


def file_answers(kind: str, answered: Answered | bytes) -> Callable[[Place], None]:
    return lambda place: place.exports.files.__setitem__(kind, answered)


def whole_again(kind: str) -> Callable[[Place], None]:
    return heals(lambda place: place.exports.files.pop(kind))


def zipped(place: Place) -> None:
    def packed(asked: Asked) -> Answered | None:
        if not asked.path.startswith("files/"):
            return None
        lines = ndjson(*place.server.resources[asked.path.removeprefix("files/")])
        return Answered(gzip.compress(lines), headers={"Content-Type": "application/fhir+ndjson"})

    place.fault(packed)


def elsewhere(place: Place) -> None:
    """Downloads lead to a store of another origin, which refuses whoever shows a token of this one."""
    store = place.beside.enter_context(serving(FaultyHospital()))

    def held(asked: Asked) -> Answered:
        shown = {name.lower() for name in asked.headers}
        lines = ndjson(*place.server.resources[asked.path])
        return refused("security", 400) if "authorization" in shown else Answered(lines)

    store.faults.append(held)
    path = place.folder / "west.toml"
    origin = store.base_url.removesuffix("/fhir")
    path.write_text(path.read_text().replace("ORIGIN", origin))

    def leads(asked: Asked) -> Answered | None:
        kind = asked.path.removeprefix("files/")
        return None if kind == asked.path else Answered(b"", 307, {"Location": f"{store.base_url}/{kind}"})

    place.fault(leads)


def kick_off_refused(wrong: Callable[[Asked], bool]) -> Callable[[Place], None]:
    return lambda place: place.fault(
        lambda asked: refused("not-supported") if asked.path.endswith("$export") and wrong(asked) else None
    )


def gone_when_deleted(place: Place) -> None:
    def deleted(asked: Asked) -> Answered | None:
        if asked.method != "DELETE":
            return None
        place.exports.jobs.clear()
        return Answered({}, 404)

    place.fault(deleted)


def deletes(place: Place) -> None:
    """On the second night the export lists what is gone since."""
    request = {"method": "DELETE", "url": "Observation/w-5"}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request}]}
    place.exports.files["deleted"] = ndjson(bundle)
    entry = [{"type": "Bundle", "url": place.exports.url("files/deleted")}]
    heals(lambda there: there.exports.manifest.__setitem__("deleted", entry))(place)


def by_post(place: Place) -> None:
    place.exports.methods = {"POST"}
    reference = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data|4.0.0"

    def statement(asked: Asked) -> Answered:
        return Answered(place.server._statement() | {"instantiates": [reference]})

    place.fault(on("metadata", statement))


EPIC = 'vendor = "epic"\n'
TOKEN = (
    '[fhir.auth]\nmethod = "client-credentials"\nclient_id = "c1"\nsecret = "file:secret"\ntoken_url = "BASE/token"\n'
)
BEARER = 'allowed_origins = ["ORIGIN"]\n[fhir.auth]\nmethod = "bearer"\nsecret = "file:secret"\n'
SOON = timedelta(seconds=1)
GAP_OF_WEIGHTS = frozenset({"Observation"})

QUIRKS: dict[str, Quirk] = {
    # ------------------------------------------------ Epic
    "epic has no time of update": Quirk(
        both(says("Epic"), without_last_updated, wants_category, rejects_categories), stamped=False
    ),
    "an observation needs a category": Quirk(wants_category),
    "epic rejects some categories": Quirk(both(wants_category, rejects_categories), fhir=EPIC),
    "epic puts a message 4119 among the results": Quirk(tells_in_its_pages("warning", "informational")),
    "epic wants its client's id in a header": Quirk(
        both(wants_header("epic-client-id"), gives_tokens(), wants_category), fhir=EPIC + TOKEN
    ),
    "epic's token endpoint answers a bare 400 now and then": Quirk(
        both(gives_tokens(Answered(b"", 400)), wants_category), fhir=EPIC + TOKEN
    ),
    "ids are longer than FHIR allows": Quirk(lambda place: None, named=lambda number: f"e{'x' * 88}{number}"),
    # ------------------------------------------------ Oracle Health
    "oracle's downloads lead elsewhere, where its token must not go": Quirk(elsewhere, road="bulk", fhir=BEARER),
    "oracle wants types joined by commas": Quirk(
        kick_off_refused(lambda asked: [name for name, _ in asked.params].count("_type") != 1), road="bulk"
    ),
    "oracle takes no window that ends before": Quirk(
        refuses_where(
            "Observation", lambda asked: any(n == "_lastUpdated" and v[:2] in ("lt", "gt") for n, v in asked.params)
        )
    ),
    "oracle's pages of observations are small": Quirk(
        both(says("Cerner"), refuses_where("Observation", lambda asked: int(asked.value("_count", "0")) > 200)),
        fhir="page_size = 1000\n",
    ),
    "oracle says 500 of what passes": Quirk(once_a_night("Observation", lambda: refused("exception", 500, "fatal"))),
    "an episode is found by its type alone": Quirk(
        both(says("Epic"), wants_category, episodes),
        types=(*TYPES, "EpisodeOfCare"),
        stays=frozenset({"EpisodeOfCare"}),
    ),
    "oracle takes no size of a page of encounters": Quirk(
        both(says("Cerner"), stays_in_hospital), types=(*TYPES, "Encounter"), stays=frozenset({"Encounter"})
    ),
    # ------------------------------------------------ athenahealth, HAPI
    "athenahealth's quota of the day runs out": Quirk(
        both(says("athenahealth"), quota_runs_out), statuses=("partial", "completed"), words=("quota", "")
    ),
    "athenahealth's group has dots and dashes": Quirk(
        says("athenahealth"), road="bulk", fhir='group = "a-1.C-195900"\n'
    ),
    "hapi's links of pages expire": Quirk(
        both(
            capped(10),
            once_a_night("Observation", lambda: refused("not-found", 410), lambda asked: bool(asked.value("page"))),
        )
    ),
    "hapi's files are gone after two hours": Quirk(
        both(file_answers("Observation", refused("not-found", 410)), whole_again("Observation")),
        road="bulk",
        statuses=("partial", "completed"),
        words=("Observation", ""),
    ),
    "a job that is done is gone when it is deleted": Quirk(gone_when_deleted, road="bulk"),
    # ------------------------------------------------ any server
    "the first pause is given as an epoch of milliseconds": Quirk(
        once_a_night(
            "Patient",
            lambda: Answered({}, 429, {"Retry-After": str(int((datetime.now(UTC) + SOON).timestamp() * 1000))}),
        )
    ),
    "errors stand in a manifest that is one": Quirk(
        both(error_file, heals(lambda place: place.exports.manifest.clear())),
        road="bulk",
        statuses=("partial", "completed"),
        words=("error", ""),
    ),
    "a manifest has pages": Quirk(in_pages, road="bulk"),
    "ids stand in several files": Quirk(in_two_files, road="bulk"),
    "files are packed whatever they are called": Quirk(zipped, road="bulk"),
    "edition 4 is asked by post": Quirk(by_post, road="bulk"),
    "the statement omits what is exported": Quirk(says("other", types=False), road="bulk"),
    "an export lists what was deleted": Quirk(deletes, road="bulk", gone=frozenset({"w-5"}), lacks=frozenset({25})),
    "what it counts is never there": Quirk(
        both(capped(100), says_a_thousand),
        statuses=("partial", "partial"),
        words=("more than it sent", "more than it sent"),
        stays=frozenset(TYPES),
    ),
    "pages are shorter than asked": Quirk(capped(5)),
    "pages are shorter, without a count or a link": Quirk(
        both(capped(5), silent(counts=False, links=False), lambda place: place.server.understands.add("_offset"))
    ),
    "there is no link, and an offset goes on": Quirk(
        both(capped(5), silent(links=False), lambda place: place.server.understands.add("_offset"))
    ),
    "unknown parameters are ignored, the window among them": Quirk(understanding("_count")),
    "a web page is answered with 200": Quirk(
        on_night(
            1,
            "Observation",
            lambda place, asked: Answered(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
        ),
        statuses=("partial", "completed"),
        words=("web page", ""),
    ),
    "an error stands in the place of a page": Quirk(
        on_night(1, "Observation", lambda place, asked: refused("exception", 200)),
        statuses=("partial", "completed"),
        words=("exception", ""),
    ),
    "an error stands among the results": Quirk(
        tells_in_its_pages("error", "timeout"), statuses=("partial", "completed"), words=("timeout", "")
    ),
    "a type may not be read": Quirk(
        on_night(1, "Observation", lambda place, asked: refused("forbidden", 403)),
        statuses=("partial", "completed"),
        words=("403", ""),
    ),
    "a link leads into the hospital's network": Quirk(
        both(capped(5), bad_next), statuses=("partial", "completed"), words=("10.9.8.7", "")
    ),
    "a way leads to a log-in elsewhere": Quirk(
        moved_elsewhere, statuses=("partial", "completed"), words=("10.9.8.7", "")
    ),
    "the statement is hidden": Quirk(lambda place: place.fault(on("metadata", lambda asked: Answered(b"no", 403)))),
    "rows move while they are read": Quirk(both(capped(10), moves_a_row)),
    "a resource of another FHIR version is in the feed": Quirk(dstu2, words=("other-fhir-version", "")),
    "something was updated in the future": Quirk(from_the_future, more=frozenset({"2010-05-05"})),
    "something is gone on the second night": Quirk(
        both(says("Epic"), without_last_updated, wants_category),
        gone=frozenset({"kid-5", "w-5"}),
        lacks=frozenset({"2014-01-06"}),
    ),
}


ELSEWHERE: dict[str, tuple[str, ...]] = {
    # ------------------------------------------------ completeness
    "a file that fails, is cut, foreign, of another type, a page": (
        "refresh/test_exports_with_faults.py::test_a_file_that_fails_costs_its_type_and_every_other_is_published",
    ),
    "an entry that names no type": (
        "refresh/test_exports_with_faults.py::test_messages_cost_the_types_they_name_and_all_where_they_name_none",
    ),
    "a type that is never exported": (
        "refresh/test_exports_with_faults.py::test_a_type_that_is_never_exported_is_read_by_search_in_the_same_load",
    ),
    "a job outlives its load": (
        "refresh/test_exports_with_faults.py::test_five_runs_that_fail_begin_one_job_and_the_sixth_ends_it",
        "connectors/quirks/test_export_jobs.py::test_an_error_of_the_status_that_passes_is_waited_for",
        "connectors/quirks/test_export_jobs.py::test_a_job_that_a_crash_made_us_forget_is_deleted_where_the_server_names_it",
    ),
    "epic grants one export a client and day": (
        "connectors/quirks/test_export_jobs.py::test_five_loads_of_exports_that_fail_begin_three_jobs_a_day",
    ),
    "a first read that gave nothing": (
        "refresh/test_nights_with_faults.py::test_a_first_night_of_nothing_sets_no_watermark",
    ),
    "a full read that gives nothing, or far less": (
        "refresh/test_nights_with_faults.py::test_a_full_read_that_gives_nothing_is_a_gap_until_it_is_accepted",
        "refresh/test_nights_with_faults.py::test_a_sharp_fall_of_a_full_read_is_a_gap",
    ),
    "a mass withdrawal": (
        "refresh/test_nights_with_faults.py::test_the_brake_stops_a_mass_withdrawal_until_it_is_released",
    ),
    "patients that were merged, and combined": (
        "refresh/test_merged.py::test_a_merged_patients_facts_go_over_and_come_back_when_the_link_goes",
        "refresh/test_cohorts.py::test_where_everybody_is_read_a_combined_patient_is_asked_for_by_id",
    ),
    "a delivery that is late, empty, unmounted, growing, the same, smaller, short of its manifest": (
        "refresh/test_deliveries.py::test_an_empty_folder_fails_the_first_night_and_every_other",
        "refresh/test_deliveries.py::test_a_share_that_is_not_mounted_is_named_and_nothing_moves",
        "refresh/test_deliveries.py::test_files_that_are_older_than_the_site_delivers_are_late",
        "refresh/test_deliveries.py::test_without_its_end_marker_a_delivery_is_not_read",
        "refresh/test_deliveries.py::test_a_file_that_is_still_being_written_waits_for_the_next_night",
        "refresh/test_deliveries.py::test_the_same_delivery_again_is_noted_or_late_as_the_site_says",
        "refresh/test_deliveries.py::test_far_less_of_a_type_than_before_is_a_gap_until_it_is_accepted",
        "refresh/test_deliveries.py::test_a_manifests_counts_are_held_against_what_came",
        "refresh/test_deliveries.py::test_a_bulk_clients_log_says_whether_its_export_ended_and_what_it_fetched",
    ),
    "files of every form": (
        "refresh/test_deliveries.py::test_a_delivery_of_any_form_is_read_type_by_type",
        "refresh/test_deliveries.py::test_utf16_is_refused_by_name_and_costs_its_type",
        "refresh/test_deliveries.py::test_what_programs_say_among_the_resources_is_told_and_not_mapped",
    ),
    "gaps have words and hands": ("refresh/test_deliveries.py::test_a_gap_is_told_in_the_same_words_everywhere",),
    "one type fails three nights": (
        "refresh/test_nights_with_faults.py::test_a_type_that_fails_three_nights_and_then_works_lacks_nothing",
    ),
    # ------------------------------------------------ manners
    "vendors by evidence": ("connectors/test_vendors.py::test_vendor_is_told_by_what_the_server_says_of_itself",),
    "another FHIR version by its statement": (
        "connectors/quirks/test_vendors_by_evidence.py::test_other_fhir_version_is_refused_by_name_whatever_the_road",
    ),
    "oracle exports no medications": (
        "connectors/test_referred.py::test_an_export_without_medications_is_completed_by_search",
    ),
    "oracle's filters": ("connectors/test_vendors.py::test_filters_that_oracle_health_refuses_are_named",),
    "oracle's pauses of hours": ("connectors/test_fhir_client.py::test_retry_after_is_followed_within_reason",),
    "oracle keeps one job a client": (
        "connectors/quirks/test_export_jobs.py::test_a_job_in_the_way_that_is_not_named_is_waited_for",
    ),
    "eclinicalworks's groups are static, oracle's are small": (
        "refresh/test_exports_with_faults.py::test_a_roster_in_several_groups_is_exported_one_by_one",
    ),
    "veradigm advertises not every way to log in": (
        "connectors/test_auth.py::test_client_credentials_basic_and_bearer",
    ),
    "meditech grants credentials that it advertises to none": (
        "connectors/test_auth.py::test_refusal_says_what_to_do_in_our_words",
    ),
    "a scope that names an absent type": (
        "connectors/test_auth.py::test_client_that_was_never_granted_the_newer_types_reads_the_others",
    ),
    "one key is changed for another": (
        "connectors/test_auth.py::test_newest_key_is_tried_first_and_the_other_once_where_it_is_not_known",
    ),
    "clocks differ": ("connectors/test_auth.py::test_clock_that_differs_is_named",),
    "a proxy, mutual TLS": (
        "connectors/test_proxy.py::test_requests_go_through_the_proxy_with_its_log_in",
        "security/test_tls.py::test_client_is_let_in_by_its_certificate",
    ),
    "since is compared as text": ("connectors/test_search_road.py::test_instants_end_in_z",),
    "who joins, leaves, was merged": (
        "refresh/test_cohorts.py::test_who_joins_is_read_from_the_beginning_the_others_from_the_watermark",
        "refresh/test_cohorts.py::test_who_leaves_is_told_and_not_erased",
        "refresh/test_cohorts.py::test_a_merged_patient_is_read_from_the_beginning_with_the_one_it_was_merged_into",
    ),
    "a search or a server's silence makes nobody the cohort": (
        "refresh/test_cohorts.py::test_a_server_that_ignores_the_search_does_not_make_everybody_the_cohort",
    ),
    "downloads drip, pages have no end, archives burst": (
        "connectors/test_limits.py::test_a_download_that_drips_for_ever_is_given_up",
        "connectors/test_search_road.py::test_pages_without_end_end",
        "security/test_bombs.py::test_file_that_unpacks_without_end_is_refused_and_its_neighbours_are_read",
    ),
}
"""What is tried in stories of its own: quirk → tests."""


def test_what_is_tried_elsewhere_stands_there() -> None:
    for quirk, stories in ELSEWHERE.items():
        for story in stories:
            file, _, name = story.partition("::")
            tree = ast.parse((TESTS / file).read_text())
            defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert name in defined, (quirk, story)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKS)
def test_two_nights_at_a_hospital_with_a_quirk(name: str, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    two_nights(QUIRKS[name], *quirky(QUIRKS[name]))
