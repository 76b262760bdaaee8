"""One pull of a FHIR server, or of a folder where no server is named, as a script that any checkout runs: seconds and resources as JSON."""

PULL = """
import json, sys, time
from pathlib import Path
from connectors.landing import Landing
from connectors.pulling import Source, Wanted, pull
from schemas.sites import Site

base, folder, road, unit = sys.argv[1:]
fhir = {"base_url": base, "requests_per_second": 100_000, "timeout_seconds": 600}
source = {"fhir": fhir} if base else {"files": {"folder": "delivery", "settle_seconds": 0}}
site = Site.model_validate(
    {"site": "west", "name": "West", "time_zone": "UTC", "subject_key": "env:K", "types": ["Observation"], "road": road} | source
)
source = Source(site=site, folder=Path(folder), secrets=lambda _: b"")
began = time.perf_counter()
pulled = pull(source, Wanted(unit=unit, landing=Landing(Path(folder) / "landing")))
assert pulled.complete, pulled.error
print(json.dumps([time.perf_counter() - began, pulled.resources]))
"""
