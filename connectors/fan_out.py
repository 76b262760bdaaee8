"""Searches that a server takes only with a further parameter: the ways to ask for a whole type nevertheless."""

from collections.abc import Callable, Sequence

import msgspec

from connectors.client.fhir_client import FhirClient
from connectors.cohort import Member, Roster
from connectors.formats.bundle import BUNDLE, Page, require_bundle
from connectors.formats.outcome import ParameterWanted, error_answer, names_required, parameter_wanted
from connectors.landing import Landing
from connectors.outside.decoding import Unreadable, decoded
from connectors.vendors import Parameters, Vendor
from schemas.errors import IncompleteError, MainstemError
from schemas.gaps import GapCause

CATEGORIES = {
    "Observation": (
        "laboratory",
        "vital-signs",
        "social-history",
        "survey",
        "imaging",
        "exam",
        "procedure",
        "therapy",
        "activity",
        "sdoh",
        "functional-status",
        "disability-status",
        "cognitive-status",
    ),
    "Condition": ("problem-list-item", "encounter-diagnosis", "health-concern"),
    "DiagnosticReport": ("LAB", "LP29684-5", "LP29708-2", "LP7839-6"),
    "DocumentReference": ("clinical-note",),
}
"""Those of the US Core profiles, by type: radiology, cardiology and pathology reports have LOINC's codes."""
CATEGORY, PATIENT, BOTH = "category", "patient", "patient and category"
"""What a type is asked for by, one value at a time."""
EVERYBODY = "everybody"
"""The cursor that holds a load's patients, where the site names no cohort."""


class _Named(msgspec.Struct):
    id: str = ""


_NAMED = msgspec.json.Decoder(_Named)


def ways(resource_type: str, vendor: Vendor, *, by_patient: bool = False) -> list[str]:
    """What to ask by where the plain search is refused, the cheapest first; `by_patient`: each patient is named already."""
    if resource_type == "Patient":
        return []
    declared = resource_type in vendor.fan_out
    category = [CATEGORY] if resource_type in CATEGORIES and not declared else []
    if by_patient:
        return category
    return [*category, *([] if declared else [PATIENT]), *([BOTH] if category or declared else [])]


TRIED = 5
"""Patients of whom a type is asked for that gives nothing."""


def gives_by_patient(client: FhirClient, resource_type: str) -> bool:
    """Whether a type of which nothing is found is found of one of the first patients: some servers take no other search, and
    do not say so."""
    if resource_type == "Patient" or resource_type in client.vendor.fan_out:
        return False
    try:
        size = client.vendor.page_size("Patient", TRIED)
        params = (("_elements", "id"), *((("_count", str(size)),) if size else ()))
        ids = [_id(line) for line in _page(client, client.url("Patient"), params, resource_type).resources[:TRIED]]
        return any(_gives(client, resource_type, each) for each in ids if each)
    except MainstemError:
        return False


def _gives(client: FhirClient, resource_type: str, patient: str) -> bool:
    url, params = client.url(resource_type), (("patient", patient),)
    bundle, _ = client.read(url, BUNDLE, what=resource_type, params=params, require=require_bundle)
    return bool(Page(bundle, not_after=client.clock(), of=resource_type).resources)


def parts(resource_type: str, vendor: Vendor, way: str) -> Sequence[Parameters]:
    """The searches that make up the type, without patients."""
    declared = vendor.fan_out.get(resource_type)
    if declared or way not in (CATEGORY, BOTH):
        return declared or ((),)
    taken = [each for each in CATEGORIES[resource_type] if each not in vendor.rejected_categories]
    return [(("category", each),) for each in taken]


def everybody(client: FhirClient, landing: Landing, resource_type: str, most_pages: int) -> Roster:
    """All patients of the server, asked for once a load. Raises MainstemError where they cannot be told, all of them."""
    known = landing.cursor(EVERYBODY, Roster)
    if known is None:
        ids = sorted(_patients(client, resource_type, most_pages))
        if not ids:
            raise IncompleteError(
                f"{resource_type}: the server wants each patient named, and names none itself",
                "Let this client search Patient; or the patients are listed in [cohort].",
                who="site IT",
            )
        known = Roster(members=[Member(each) for each in ids])
        landing.save_cursor(EVERYBODY, known)
    return known


def _patients(client: FhirClient, resource_type: str, most_pages: int) -> set[str]:
    size = client.vendor.page_size("Patient", 200)
    params: Parameters = (("_elements", "id"), *((("_count", str(size)),) if size else ()))
    url, seen, ids, total = client.url("Patient"), set[str](), set[str](), 0
    for _ in range(most_pages):
        page = _page(client, url, params, resource_type)
        total = max(total, page.total or 0)
        ids |= {found for line in page.resources if (found := _id(line))}
        if not page.next:
            if len(ids) < total:
                break
            return ids
        url, params = client.onward("Patient", page.next), ()
        if url in seen:
            break
        seen.add(url)
    raise IncompleteError(
        f"{resource_type}: the server wants each patient named, and its list of patients does not come whole",
        "List the patients in [cohort], and tell the EHR vendor.",
        gap=GapCause.SHORT_OF_COUNT,
    )


def _page(client: FhirClient, url: str, params: Parameters, resource_type: str) -> Page:
    try:
        bundle, _ = client.read(url, BUNDLE, what="Patient", params=params, require=require_bundle)
    except ParameterWanted:
        raise parameter_wanted(resource_type) from None
    page = Page(bundle, not_after=client.clock())
    if page.errors:
        raise error_answer("Patient", page.errors, "among the results")
    return page


def _id(line: bytes) -> str:
    try:
        return decoded(line, _NAMED).id
    except Unreadable:
        return ""


def sample(client: FhirClient, resource_type: str, way: str) -> Parameters:
    """One of the searches that make up the type, to be tried."""
    (first, *_) = parts(resource_type, client.vendor, way)
    if way not in (PATIENT, BOTH):
        return first
    page = _page(client, client.url("Patient"), (("_elements", "id"), ("_count", "1")), resource_type)
    found = next((found for line in page.resources if (found := _id(line))), "")
    if not found:
        raise parameter_wanted(resource_type)
    return (("patient", found), *first)


def read_one(client: FhirClient, resource_type: str, see: Callable[[bytes], None] | None = None) -> str:
    """A real read of the type's first page, as small as can be; says what came. For the preflight.

    `see` is shown each resource, and may raise.
    """
    page, way = _first_page(client, resource_type, 1)
    if see is not None:
        for line in page.resources:
            see(line)
    counted = f", {page.total} in all" if page.total is not None and not way else ""
    stamped = "" if page.newest or not page.resources else "; no usable meta.lastUpdated"
    return f"{len(page.resources)} read{counted}{stamped}" + (f"; by {way}, the plain search is refused" if way else "")


def read_some(client: FhirClient, resource_type: str, count: int) -> Page:
    """The type's first page, of about as many resources as asked for. For the preflight."""
    return _first_page(client, resource_type, count)[0]


def _first_page(client: FhirClient, resource_type: str, count: int) -> tuple[Page, str]:
    """The page, and by which further parameter it came."""
    tried = ["", *ways(resource_type, client.vendor)]
    for way in tried:
        try:
            return _sampled(client, resource_type, sample(client, resource_type, way), count), way
        except ParameterWanted:
            if way == tried[-1]:
                raise
    raise AssertionError("the last way returns or raises")


def _sampled(client: FhirClient, resource_type: str, params: Parameters, count: int) -> Page:
    size = client.vendor.page_size(resource_type, count, params)
    params = (*params, *((("_count", str(count)),) if size else ()))
    bundle, _ = client.read(
        client.url(resource_type), BUNDLE, what=resource_type, params=params, require=require_bundle
    )
    page = Page(bundle, not_after=client.clock())
    if wants(page):
        raise parameter_wanted(resource_type)
    if page.errors:
        raise error_answer(resource_type, page.errors, "among the results")
    return page


def wants(page: Page) -> bool:
    """Whether a page gives nothing but the word that a parameter is required."""
    return not page.resources and any(map(names_required, page.messages))
