"""A site's mapper: its pseudonym key, time zone and code map put together."""

import csv
from collections.abc import Iterator
from pathlib import Path

from mainstem.settings import Secrets, SiteFile
from schemas.problems import OperatorError
from transforms import CodeMapRow, Mapper

KEY_BYTES = 32
COLUMNS = ("system", "code", "target_system", "target_code", "note")


def site_mapper(file: SiteFile, secrets: Secrets) -> Mapper:
    """The mapper of a site. Raises OperatorError for a short key or a broken code map."""
    site = file.site
    key = secrets(site.subject_key)
    if len(key) < KEY_BYTES:
        raise OperatorError(
            f"{site.site}: the subject key has {len(key)} bytes; pseudonyms need at least {KEY_BYTES}",
            "`mainstem sites new` writes a good one. Keep it: another key gives other pseudonyms.",
        )
    code_map = read_code_map(file.resolve(site.code_map)) if site.code_map else ()
    return Mapper(site=site.site, time_zone=site.time_zone, subject_key=key, code_map=code_map)


def read_code_map(path: Path) -> list[CodeMapRow]:
    """The rows of a code map. Raises OperatorError naming file and line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(path, csv.DictReader(file)))
    except OSError as exc:
        raise OperatorError(
            f"{path}: the code map cannot be read ({exc.strerror})", "Check code_map in the site file."
        ) from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise OperatorError(f"{path}: not a CSV file in UTF-8", "Save it as `CSV UTF-8`.") from exc


def _rows(path: Path, reader: "csv.DictReader[str]") -> Iterator[CodeMapRow]:
    if missing := [name for name in COLUMNS[:4] if name not in (reader.fieldnames or ())]:
        raise OperatorError(f"{path}:1: missing column {', '.join(missing)}", f"The columns are {','.join(COLUMNS)}.")
    for row in reader:
        values = [(row[name] or "").strip() for name in COLUMNS[:4]]
        if not all(values[1:]):
            raise OperatorError(
                f"{path}:{reader.line_num}: code, target_system and target_code are needed", "Fill them in."
            )
        yield CodeMapRow(*values, (row.get("note") or "").strip())
