"""The outcome topic as OpenLineage names it, for networks that keep a catalogue: Airflow's OpenLineage provider asks for it (extra `airflow-beyond`)."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.sdk import Asset


def dataset_of(asset: "Asset", _lineage_context: Any) -> Any:
    """An OpenLineage dataset from a topic's asset, `kafka://host:port/topic`; by OpenLineage's naming of Kafka."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    told = urlsplit(asset.uri)
    return Dataset(namespace=f"{told.scheme}://{told.netloc}", name=told.path.strip("/"))
