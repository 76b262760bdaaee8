"""Resources of the sample that break a rule of FHIR R4."""

from transforms.quality import About, Check, Judge
from transforms.quality.kinds.figures import Figures


def _begin(about: About) -> Judge:
    return Figures((name, counts.sampled, counts.nonconformant) for name, counts in sorted(about.counts.items()))


CHECK = Check(
    kind="conformance",
    what="resources that break a rule of FHIR R4, of the sample that the last load checked in full",
    tolerated=0.05,
    source="judgement, to be approved: 5 %; `validate_sample` of the site file says how large the sample is",
    fix="`mainstem map --explain` names the rule; report it to the EHR's vendor.",
    who="EHR vendor",
    begin=_begin,
)
