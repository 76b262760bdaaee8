"""Figures in Prometheus's text format: names, meanings and labels of ours alone, nothing of a patient."""

from collections.abc import Iterable, Mapping


def gauge(name: str, meaning: str, values: Iterable[tuple[Mapping[str, str], float]]) -> str:
    """One gauge with all its values."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    for labels, value in values:
        said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        lines.append(f"{name}{{{said}}} {value:.3f}")
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
