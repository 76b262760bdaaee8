"""Resources that could not be used."""

from transforms.quality import About, Check, Judge
from transforms.quality.kinds.figures import Figures


def _begin(about: About) -> Judge:
    return Figures(
        (kind, held + about.quarantined.get(kind, 0), about.quarantined.get(kind, 0))
        for kind, held in sorted({**dict.fromkeys(about.quarantined, 0), **about.held}.items())
    )


CHECK = Check(
    kind="conformance",
    what="resources in quarantine, of all that are held or in quarantine",
    tolerated=0.01,
    source="judgement, to be approved: one in a hundred",
    fix="`mainstem map --explain` tells of each what is wrong with it; the report names the reasons by frequency.",
    who="EHR vendor",
    begin=_begin,
)
