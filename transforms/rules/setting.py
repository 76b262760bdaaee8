"""What a rule may know about the site it reads for."""

from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from transforms.codes.code_map import CodeMap
from transforms.privacy.pseudonyms import Pseudonyms


@dataclass(frozen=True)
class Setting:
    """What a rule may know about the site."""

    zone: tzinfo
    pseudonyms: Pseudonyms
    codes: CodeMap
    manners: dict[Any, Any] = field(default_factory=dict)
    """How the numbers of one code and unit are treated: remembered, bounded."""
