"""Fields left out of records because they could not be used."""

from transforms.quality import About, Check, Judge
from transforms.quality.kinds.figures import Figures


def _begin(about: About) -> Judge:
    return Figures(
        (path, counts.read - counts.recognised, dropped)
        for counts in about.counts.values()
        for path, dropped in sorted(counts.dropped.items())
    )


CHECK = Check(
    kind="conformance",
    what="fields that could not be used, of the resources that the last load mapped",
    tolerated=0.01,
    least=20,
    source="judgement, to be approved: one in a hundred",
    fix="`mainstem map --explain` on a sample shows the field; have the feed send it as FHIR R4 and US Core ask.",
    who="EHR vendor",
    begin=_begin,
)
