"""Which Patients there are at a site: those whose record stands, and those that a load landed and may not have mapped yet."""

from functools import cached_property

from connectors.formats.ndjson import read_batches
from mainstem.config.site_mapper import site_mapper
from mainstem.refresh.opening import Refresh
from schemas.problems import Problem
from transforms.mapped import REF_BYTES, WHOLE

PATIENT = "Patient"


class Bearers:
    """Asked only for references that may be of another's Bundle: what is landed is read with the first of these."""

    def __init__(self, refresh: Refresh, load_id: str | None) -> None:
        self._refresh, self._load = refresh, load_id
        self._known: dict[bytes, bool] = {}

    def __call__(self, ref: bytes) -> bool:
        """Whether a Patient of that ref is here."""
        known = self._known.get(ref)
        if known is None:
            known = ref in self._landed or self._refresh.store.records.stands(self._refresh.site.site, ref + WHOLE)
            self._known[ref] = known
        return known

    @cached_property
    def _landed(self) -> set[bytes]:
        found: set[bytes] = set()
        if self._load is not None:
            mapper = site_mapper(self._refresh.file, self._refresh.secrets)
            for path in self._refresh.landing(self._load).files(PATIENT):
                for _, lines in read_batches(path, cap=self._refresh.site.limits.line_bytes):
                    if not isinstance(lines, Problem):
                        found.update(id_[:REF_BYTES] for id_ in mapper.record_ids(PATIENT, lines))
        return found
