"""Hospitals that deliver files, each in its own way, and in another way the night after."""

import gzip
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from exporting import ndjson
from quirky_hospitals import TYPES, Json, Nights, Place, Quirk, two_nights
from quirky_steps import PARTIAL

LATER = ("completed", "partial")
FOLDER = '[files]\nfolder = "delivery"\nsettle_seconds = 0\n'
CHANGES = FOLDER + 'delivers = "changes"\n'
Delivers = Callable[[Place], None]
WEIGHTS = frozenset({"Observation"})


# ---------------------------------------------------------------- how files are delivered


def rows(place: Place, kind: str) -> list[Json]:
    return place.server.resources[kind]


def all_rows(place: Place) -> list[Json]:
    return [each for kind in TYPES for each in rows(place, kind)]


def anew(place: Place) -> Path:
    """The folder, with nothing in it."""
    folder = place.folder / "delivery"
    folder.mkdir(exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return folder


def written(files: dict[str, Callable[[Place], bytes]]) -> Delivers:
    """Files by their names."""

    def deliver(place: Place) -> None:
        folder = anew(place)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(place))

    return deliver


def lines(kind: str) -> Callable[[Place], bytes]:
    return lambda place: ndjson(*rows(place, kind))


def everything(place: Place) -> bytes:
    return ndjson(*all_rows(place))


def packed(content: Callable[[Place], bytes]) -> Callable[[Place], bytes]:
    return lambda place: gzip.compress(content(place))


def always(content: bytes) -> Callable[[Place], bytes]:
    return lambda place: content


def zipped(files: dict[str, Callable[[Place], bytes]]) -> Callable[[Place], bytes]:
    def content(place: Place) -> bytes:
        held = BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, made in files.items():
                archive.writestr(name, made(place))
        return held.getvalue()

    return content


def tarred(place: Place) -> bytes:
    held = BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        content = ndjson(*rows(place, "Observation"))
        entry = tarfile.TarInfo("Observation.ndjson")
        entry.size = len(content)
        archive.addfile(entry, BytesIO(content))
    return held.getvalue()


def bundled(place: Place) -> bytes:
    entry = [
        {"fullUrl": f"https://ehr.example/{each['resourceType']}/{each['id']}", "resource": each}
        for each in all_rows(place)
    ]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entry}, indent=4).encode()


def one_by_one(place: Place) -> None:
    """A file a child, in a folder each; on the second night those that changed alone."""
    folder = anew(place)
    for each in rows(place, "Patient"):
        weights = [row for row in rows(place, "Observation") if row["subject"]["reference"] == f"Patient/{each['id']}"]
        if place.night == 2 and each["id"] not in ("kid-3", "kid-12"):
            continue
        (folder / each["id"]).mkdir()
        (folder / each["id"] / "record.ndjson").write_bytes(ndjson(each, *weights))


def night_by_night(place: Place) -> None:
    """A folder a night, beside those of before."""
    folder = place.folder / "delivery" / f"2026-03-0{place.night}"
    folder.mkdir(parents=True)
    for kind in TYPES:
        changed = [each for each in rows(place, kind) if place.night == 1 or each["meta"]["lastUpdated"] > "2026-03-02"]
        (folder / f"{kind}.ndjson").write_bytes(ndjson(*changed))


def as_nights(first: Delivers, second: Delivers) -> Delivers:
    return lambda place: (first if place.night == 1 else second)(place)


def older_last(kind: str) -> Callable[[Place], bytes]:
    """Versions of long ago stand behind, each with its time."""

    def content(place: Place) -> bytes:
        old = [
            {**each, "meta": {"lastUpdated": "2025-01-01T00:00:00Z"}, "valueQuantity": {"value": 1}}
            for each in rows(place, kind)
        ]
        return ndjson(*rows(place, kind), *old)

    return content


def numbered(place: Place) -> None:
    """Twelve files of weights, numbered without zeros; the newest version of each stands in the last."""
    folder = anew(place)
    (folder / "Patient.ndjson").write_bytes(ndjson(*rows(place, "Patient")))
    for number in range(1, 13):
        stale = [{**each, "meta": {}, "valueQuantity": {"value": 1}} for each in rows(place, "Observation")]
        now = [{**each, "meta": {}} for each in rows(place, "Observation")]
        (folder / f"Observation-{number}.ndjson").write_bytes(ndjson(*(now if number == 12 else stale)))


def with_rubbish(place: Place) -> None:
    """What people's machines leave in folders stands beside the files."""
    plain_files(place)
    folder = place.folder / "delivery"
    for name in (
        ".DS_Store",
        "._Observation.ndjson",
        "Thumbs.db",
        "desktop.ini",
        "~$list.xlsx",
        "README.txt",
        "sent.csv",
    ):
        (folder / name).write_bytes(b"\x00\x05\x16\x07Roe, Jane")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._Patient.ndjson").write_bytes(b"\x00\x05\x16\x07")


def linked(place: Place) -> None:
    """The file of weights is a link to another folder."""
    plain_files(place)
    there = place.folder / "Observation.ndjson"
    (place.folder / "delivery" / "Observation.ndjson").replace(there)
    (place.folder / "delivery" / "Observation.ndjson").symlink_to(there)


def unreadable(place: Place) -> None:
    """The folder of weights may not be opened."""
    plain_files(place)
    hidden = place.folder / "delivery" / "weights"
    hidden.mkdir()
    (place.folder / "delivery" / "Observation.ndjson").replace(hidden / "Observation.ndjson")
    hidden.chmod(0)
    place.beside.callback(lambda: hidden.chmod(0o700) if hidden.exists() else None)


def manifested(counts: dict[str, int]) -> Delivers:
    """A bulk client's manifest counts what it fetched."""

    def deliver(place: Place) -> None:
        plain_files(place)
        found = [
            {"type": kind, "url": f"https://ehr.example/{kind}.ndjson", "count": count}
            for kind, count in counts.items()
        ]
        (place.folder / "delivery" / "manifest.json").write_text(json.dumps({"output": found}))

    return deliver


def half(place: Place) -> None:
    """A copy that broke off in the middle of a line."""
    plain_files(place)
    path = place.folder / "delivery" / "Observation.ndjson"
    os.truncate(path, path.stat().st_size - 40)


plain_files = written({"Patient.ndjson": lines("Patient"), "Observation.ndjson": lines("Observation")})
small_letters = written({"patient.ndjson": lines("Patient"), "observation.ndjson": lines("Observation")})
as_archive = written(
    {"export.zip": zipped({"Patient.ndjson": lines("Patient"), "Observation.ndjson": lines("Observation")})}
)
one_by_one_at_first = as_nights(one_by_one, plain_files)

QUIRKS: dict[str, Quirk] = {
    name: Quirk(lambda place: None, road="files", **values)
    for name, values in {
        # -------------------------------------------- forms
        "files are packed one night and an archive the next": {
            "deliver": as_nights(
                written(
                    {
                        "Patient.ndjson.gz": packed(lines("Patient")),
                        "Observation.ndjson.gz": packed(lines("Observation")),
                    }
                ),
                written(
                    {
                        "export.zip": zipped(
                            {"a/Patient.ndjson": lines("Patient"), "a/Observation.ndjson": lines("Observation")}
                        )
                    }
                ),
            )
        },
        "a Bundle for people one night, one file of lines the next": {
            "deliver": as_nights(written({"export.json": bundled}), written({"EXPORT.NDJSON": everything}))
        },
        "weights are signed inside their signature for a night": {
            "deliver": as_nights(
                written({"Patient.ndjson": lines("Patient"), "Observation.ndjson.asc": always(b"-----BEGIN PGP")}),
                written(
                    {
                        "Patient.ndjson": lines("Patient"),
                        "Observation.ndjson": lines("Observation"),
                        "Observation.ndjson.asc": always(b"-----BEGIN PGP SIGNATURE-----"),
                    }
                ),
            ),
            "statuses": PARTIAL,
            "words": ("Observation.ndjson.asc", ""),
        },
        "packed files are called plain": {
            "deliver": written(
                {"Patient.ndjson": packed(lines("Patient")), "Observation.ndjson": packed(lines("Observation"))}
            )
        },
        "plain files are called packed": {
            "deliver": written({"Patient.ndjson.gz": lines("Patient"), "Observation.ndjson.gz": lines("Observation")})
        },
        "files are named in small letters": {"deliver": small_letters},
        "files are named by something else": {
            "deliver": written({"demographics.jsonl": lines("Patient"), "vitals.jsonl": lines("Observation")})
        },
        "files name each other's types": {
            "deliver": written({"Patient.ndjson": lines("Observation"), "Observation.ndjson": lines("Patient")})
        },
        "a file's first lines are of another type": {
            "deliver": written(
                {
                    "Patient.ndjson": lines("Patient"),
                    "Observation.ndjson": lambda place: (
                        ndjson(rows(place, "Patient")[0]) + ndjson(*rows(place, "Observation"))
                    ),
                }
            )
        },
        "lines end as on Windows, behind a mark of the byte order": {
            "deliver": written(
                {"all.ndjson": lambda place: b"\xef\xbb\xbf" + everything(place).replace(b"\n", b"\r\n\r\n")}
            )
        },
        "an archive holds what a Mac adds": {
            "deliver": written(
                {
                    "export.zip": zipped(
                        {
                            "Patient.ndjson": lines("Patient"),
                            "Observation.ndjson": lines("Observation"),
                            "__MACOSX/._Patient.ndjson": always(b"\x00\x05\x16\x07"),
                        }
                    )
                }
            )
        },
        "rubbish stands beside the files": {"deliver": with_rubbish},
        # -------------------------------------------- nights
        "a child a folder, and changes alone": {"deliver": one_by_one, "files": CHANGES},
        "a folder a night": {"deliver": night_by_night},
        "a folder a night, of changes": {"deliver": night_by_night, "files": CHANGES},
        "versions of long ago stand behind the new": {
            "deliver": written({"Patient.ndjson": lines("Patient"), "Observation.ndjson": older_last("Observation")})
        },
        "numbered files, of which the last counts": {"deliver": numbered},
        "the process dies, and another delivery takes the place of this one": {
            "deliver": plain_files,
            "dies": 1,
            "between": small_letters,
        },
        "the process dies, and a packed delivery takes the place of this one": {
            "deliver": one_by_one_at_first,
            "dies": 1,
            "between": as_archive,
        },
        # -------------------------------------------- what does not come
        "the file of weights is left out on the second night": {
            "deliver": as_nights(plain_files, written({"Patient.ndjson": lines("Patient")})),
            "statuses": LATER,
            "words": ("", "no file of this type was delivered"),
            "lacks": frozenset({23.5, 32}),
            "more": frozenset({23}),
            "stays": WEIGHTS,
        },
        "the file of weights is half copied one night": {
            "deliver": as_nights(half, plain_files),
            "statuses": PARTIAL,
            "words": ("end in mid-line", ""),
        },
        "the packed file of weights is half copied on the second night": {
            "deliver": as_nights(
                plain_files,
                written(
                    {
                        "Patient.ndjson": lines("Patient"),
                        "Observation.ndjson.gz": lambda place: packed(lines("Observation"))(place)[:-60],
                    }
                ),
            ),
            "statuses": LATER,
            "words": ("", "Observation"),
            "lacks": frozenset({32}),
            "stays": WEIGHTS,
        },
        "a manifest counts more than came, one night": {
            "deliver": as_nights(
                manifested({"Patient": 12, "Observation": 20}), manifested({"Patient": 13, "Observation": 13})
            ),
            "statuses": PARTIAL,
            "words": ("Observation", ""),
        },
        "weights come in an archive of tar on the second night": {
            "deliver": as_nights(
                plain_files, written({"Patient.ndjson": lines("Patient"), "Observation.tar.gz": tarred})
            ),
            "statuses": LATER,
            "words": ("", "forms that are not known"),
            "lacks": frozenset({23.5, 32}),
            "more": frozenset({23}),
            "stays": WEIGHTS,
        },
        "weights come as XML on the second night": {
            "deliver": as_nights(
                plain_files,
                written(
                    {
                        "Patient.ndjson": lines("Patient"),
                        "Observation.xml": always(b'<Bundle xmlns="http://hl7.org/fhir"/>'),
                    }
                ),
            ),
            "statuses": LATER,
            "words": ("", "Observation"),
            "lacks": frozenset({23.5, 32}),
            "more": frozenset({23}),
            "stays": WEIGHTS,
        },
        "the file of weights is a link one night": {
            "deliver": as_nights(linked, plain_files),
            "statuses": PARTIAL,
            "words": ("were not read", ""),
        },
        "the file of weights is UTF-16 on the second night": {
            "deliver": as_nights(
                plain_files,
                written(
                    {
                        "Patient.ndjson": lines("Patient"),
                        "Observation.ndjson": lambda place: lines("Observation")(place).decode().encode("utf-16"),
                    }
                ),
            ),
            "statuses": LATER,
            "words": ("", "UTF-16"),
            "lacks": frozenset({23.5, 32}),
            "more": frozenset({23}),
            "stays": WEIGHTS,
        },
    }.items()
    for values in [{"files": FOLDER, **values}]
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKS)
def test_two_nights_of_deliveries(name: str, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    two_nights(QUIRKS[name], *quirky(QUIRKS[name]))
