"""What is said of each derived value and of each reference."""

from mainstem.commands.derive.references import REFERENCES
from schemas.errors import OperatorError
from transforms.derive import Value, shipped

Told = dict[str, str | list[str]]


def all_told() -> list[Told]:
    """References first, then the values by name and version."""
    return [*(each.told() for each in REFERENCES.values()), *(_told(value) for value in shipped())]


def told_of(name: str) -> Told:
    """A reference, or a value's newest version or that of `name@version`."""
    if reference := REFERENCES.get(name):
        return reference.told()
    found = {key: value for value in shipped() for key in (value.name, value.key)}
    if name not in found:
        raise OperatorError(f"no derived value or reference {name}", "`mainstem derive list` names them.")
    return _told(found[name])


def _told(value: Value) -> Told:
    return {
        "name": value.name,
        "version": value.version,
        "what": f"{value.quantity}, {value.unit}" if value.unit else value.quantity,
        "needs": sorted(value.needs),
        "codes": sorted({*value.codes, *value.ingredients}),
        "window": value.window,
        "method": value.method,
        "sources": list(value.sources),
    }
