"""Plans of care: activities spread out, each as its detail says; those that are resources of their own are linked."""

from msgspec import Raw, Struct
from msgspec.json import encode

from transforms.fhir.elements import Unusable, decode
from transforms.rules.declaring import Element


class _Activity(Struct, gc=False):
    detail: dict[str, Raw] | None = None
    extension: list[Raw] | None = None
    modifierExtension: list[Raw] | None = None


def activities(content: bytes, beside: bytes | None, companion: bytes | None) -> list[Element]:
    """CarePlan.activity → an element for each that has a detail, its fields named `detail.…`. Raises Unusable for no list."""
    listed = [Raw(content)] if content[:1] == b"{" else decode(content, list[Raw] | None) or []
    found: list[Element] = []
    for index, raw in enumerate(listed):
        path = f"activity[{index}]"
        try:
            activity: _Activity = decode(bytes(raw), _Activity | None) or _Activity()
            if activity.detail:
                found.append(Element(path, _flat(activity, activity.detail)))
        except Unusable as fault:
            found.append(Element(".".join(filter(None, (path, fault.path))), b""))
    return found


def _flat(activity: _Activity, detail: dict[str, Raw]) -> bytes:
    marks = {
        name: [*(around or []), *(decode(bytes(detail[name]), list[Raw] | None) or [] if name in detail else [])]
        for name, around in (("extension", activity.extension), ("modifierExtension", activity.modifierExtension))
    }
    named = {f"detail.{name}": value for name, value in detail.items() if name not in marks}
    return encode(named | {name: each for name, each in marks.items() if each})
