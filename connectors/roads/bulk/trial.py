"""An export tried before the first run: kicked off for what changes from now on, which is nothing, its status asked once, and deleted."""

from dataclasses import replace

from connectors.client.fhir_client import FhirClient
from connectors.roads.bulk.jobs import STATUSES, delete_job
from connectors.roads.bulk.kick_off import KickOff
from connectors.source import Source
from schemas.errors import MainstemError


def try_export(source: Source, client: FhirClient) -> str:
    """What came of it, in words. Raises OperatorError where asking or waiting is refused, TemporaryError where none is
    taken now, IncompleteError where nothing says where to wait for it. To be called where the vendor counts no exports.

    Of one type, which is asked for first: a type that the server does not know is the run's to find, and costs that type.
    """
    one = source.site.model_copy(update={"types": source.site.types[:1]})
    url = KickOff(client, replace(source, site=one), client.clock(), throttled=1).ask().status_url(client)
    client.ask("GET", url, what="the export's status", accepted=STATUSES, headers={"Accept": "application/json"})
    try:
        delete_job(client, url)
    except MainstemError as exc:
        return f"one was taken; it holds nothing, and ends by itself, as it could not be deleted ({exc.cause})"
    return "one was taken, and deleted at once"
