"""`make licences`: the licence of everything that is installed with us, and whether we may ship beside it.

GPL and AGPL never. What may stand only for a reason (LGPL, a choice of licences, one that the package does not declare)
is judged below by name; another licence than was read then makes the judgement void.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from piplicenses_lib import LICENSE_UNKNOWN, get_package_info
from rich.console import Console
from rich.table import Table

SHIPPED = ("core", "airflow", "airflow-beyond", "services", "demo")
"""The locks of what somebody installs to run Mainstem; the test tools ship with nobody."""
UNKNOWN = "not declared"
_COPYLEFT = re.compile(r"GPL|General Public|Affero", re.IGNORECASE)
_WEAK = re.compile(r"LGPL|Lesser General Public|Library General Public", re.IGNORECASE)
_LONGEST_NAME = 80
"""A longer licence field holds the text itself, which may speak of other licences."""


class Judgement(NamedTuple):
    """Why a package may stand."""

    read: str
    """The licence as the package declares it."""
    taken_under: str
    """The licence under which we take it."""
    reason: str


JUDGED = {
    "crc32c": Judgement(
        "GNU Lesser General Public License v2 or later (LGPLv2+), LGPL-2.1-or-later",
        "LGPL-2.1-or-later",
        "imported unchanged and replaceable by whoever installs it; kafka-python computes in Python without it",
    ),
    "fhirpathpy": Judgement(
        UNKNOWN,
        "MIT",
        "its LICENSE.md is the MIT license; the metadata leaves it out. Comes with the demo's FHIR server",
    ),
    "openlineage-sql": Judgement(
        UNKNOWN,
        "Apache-2.0",
        "OpenLineage's licence, which its other packages declare; the wheel leaves it out, and its bill names permissive licences alone",
    ),
    "psycopg": Judgement(
        "LGPL-3.0-only",
        "LGPL-3.0-only",
        "imported unchanged and replaceable by whoever installs it; the only PostgreSQL driver that binds in binary and pipelines",
    ),
    "psycopg-binary": Judgement("LGPL-3.0-only", "LGPL-3.0-only", "psycopg's compiled half, under the same terms"),
    "text-unidecode": Judgement(
        "Artistic License, GNU General Public License (GPL), GNU General Public License v2 or later (GPLv2+)",
        "Artistic License",
        "a choice of either; comes with Airflow through python-slugify",
    ),
}


class Licence(NamedTuple):
    """What one package declares."""

    name: str
    version: str
    licence: str

    def fault(self) -> str:
        """Why the package may not stand; empty where it may."""
        judged = JUDGED.get(self.name)
        if judged is None:
            if self.licence == UNKNOWN:
                return "declares no licence: read its files and judge it"
            return f"{self.licence} has to be judged" if _COPYLEFT.search(self.licence) else ""
        if judged.read != self.licence:
            return f"was judged when it declared {judged.read!r}; judge it again"
        return f"{judged.taken_under} may not ship" if _strong(judged.taken_under) else ""


def _strong(licence: str) -> bool:
    return bool(_COPYLEFT.search(_WEAK.sub("", licence)))


def licence_of(package: Distribution) -> Licence:
    """What a package declares: classifiers and licence field, each once."""
    info = get_package_info(package, include_files=False)
    declared = {*info.license_classifiers, info.license.strip()} - {LICENSE_UNKNOWN, ""}
    names = sorted(name for name in declared if len(name) <= _LONGEST_NAME and "\n" not in name)
    return Licence(canonicalize_name(info.name), info.version, ", ".join(names) or UNKNOWN)


def locked(folder: Path) -> set[str]:
    """Names of all that is shipped and belongs on this machine."""
    lines = (line for role in SHIPPED for line in (folder / f"{role}.txt").read_text().splitlines())
    wanted = [Requirement(line.removesuffix("\\")) for line in lines if re.match(r"\w", line)]
    return {canonicalize_name(each.name) for each in wanted if each.marker is None or each.marker.evaluate()}


def faults(licences: Iterable[Licence], wanted: set[str]) -> Iterator[str]:
    """What keeps us from shipping: licences, and packages nothing can be told about."""
    found = {each.name: each for each in licences}
    yield from (f"{name}: not installed here; `make setup-dev` installs it" for name in sorted(wanted - set(found)))
    yield from (f"{name}: {fault}" for name, each in sorted(found.items()) if (fault := each.fault()))
    yield from (f"{name}: judged, but no longer shipped" for name in sorted(set(JUDGED) - wanted))


def main() -> int:
    """Lists them; 1 where something may not ship."""
    wanted = locked(Path(__file__).parent)
    licences = sorted({licence_of(each) for each in distributions() if canonicalize_name(each.name) in wanted})
    table = Table("Package", "Version", "Licence", "Judged", box=None)
    for each in licences:
        table.add_row(*each, JUDGED[each.name].reason if each.name in JUDGED else "")
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    found = list(faults(licences, wanted))
    for fault in found:
        console.print(f"[red]{fault}[/]", highlight=False)
    console.print(f"{len(licences)} packages, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
