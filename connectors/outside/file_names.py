"""Which files hold resources, by their names."""

import re

_READ = re.compile(r"(?is).+\.(ndjson|jsonl|ldjson|jsonlines|ndj|json)(\.gz(ip)?)?")
_JSON = re.compile(r"(?is).+\.json(\.gz(ip)?)?")
_ZIP = re.compile(r"(?is).+\.zip")
_PACKED = re.compile(r"(?is).+\.(tar|tgz|7z|rar|bz2|xz|zst|gz)")
_BESIDE = re.compile(r"(?is).+\.(md5|sha1|sha256|sha512|md5sum|sha256sum|crc|ok|done)")
_SIGNED = re.compile(r"(?is)(.+)\.(sig|asc)")
_ON_ITS_WAY = re.compile(r"(?is)\.(.+)\.[a-z0-9]{6}")
_XML = re.compile(r"(?is).+\.xml(\.gz(ip)?)?")
_TOLD = re.compile(r"(?i)manifest\.json|log\.ndjson")


def is_read(name: str) -> bool:
    """Whether a file of this name holds resources: `.ndjson` and its kin, or `.json`, in any case, packed by gzip or not."""
    base = name.rpartition("/")[2]
    return _READ.fullmatch(base) is not None and not tells(base)


def is_json(name: str) -> bool:
    """Whether a file of this name is a JSON document, or NDJSON by another name."""
    return _JSON.fullmatch(name) is not None


def is_zip(name: str) -> bool:
    """Whether a file of this name is an archive that is read."""
    return _ZIP.fullmatch(name) is not None


def is_beside(name: str) -> bool:
    """Whether a file of this name stands beside one that is delivered: a checksum, the word that it is whole."""
    return _BESIDE.fullmatch(name) is not None


def signs(name: str) -> str:
    """The name of the file that one of this name is the signature of, where it stands beside it; alone it holds the file itself.

    Empty for a file that is none.
    """
    found = _SIGNED.fullmatch(name)
    return found[1] if found else ""


def on_its_way(name: str) -> bool:
    """Whether a hidden file is one that rsync is still writing: `.Observation.ndjson.Xy12Zk`."""
    found = _ON_ITS_WAY.fullmatch(name)
    return found is not None and (is_read(found[1]) or is_zip(found[1]))


def is_xml(name: str) -> bool:
    """Whether a file of this name is XML, FHIR's other form, which is not read."""
    return _XML.fullmatch(name) is not None


def is_packed(name: str) -> bool:
    """Whether a file of this name may hold resources in a form that is not unpacked."""
    return _PACKED.fullmatch(name) is not None


def tells(name: str) -> bool:
    """Whether a file of this name tells of a delivery: what bulk clients write beside the files they download."""
    return _TOLD.fullmatch(name) is not None
