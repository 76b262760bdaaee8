"""An export tried before the first run: kicked off for what changes from now on, which is nothing, and deleted at once."""

from dataclasses import replace

from connectors.client.fhir_client import FhirClient
from connectors.roads.bulk.jobs import delete_job
from connectors.roads.bulk.kick_off import KickOff
from connectors.source import Source
from schemas.errors import IncompleteError, MainstemError


def try_export(source: Source, client: FhirClient) -> None:
    """Raises OperatorError where every form of asking is refused, TemporaryError where none is taken now, IncompleteError
    where one was taken and cannot be deleted. To be called where the vendor is known to count no exports.

    Of one type, which is asked for first: a type that the server does not know is the run's to find, and costs that type.
    """
    one = source.site.model_copy(update={"types": source.site.types[:1]})
    accepted = KickOff(client, replace(source, site=one), client.clock(), throttled=1).ask()
    try:
        delete_job(client, accepted.status_url(client))
    except MainstemError as exc:
        raise IncompleteError(
            f"an export that was tried was taken, and could not be deleted: {exc.cause}",
            "Let DELETE of an export's status URL end it; until then the first run may find this one in its way.",
            who="EHR vendor",
        ) from exc
