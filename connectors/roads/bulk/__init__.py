"""The road of bulk export: `$export` kicked off, waited for, and its files streamed into the landing.

A fault costs the types it concerns, not the export; a job belongs to the site, not to the load.
"""

from connectors.roads.bulk.groups import pull_export
from connectors.roads.bulk.jobs import give_up_jobs
from connectors.roads.bulk.kick_off import NotExported
from connectors.roads.bulk.trial import try_export

__all__ = ["NotExported", "give_up_jobs", "pull_export", "try_export"]
