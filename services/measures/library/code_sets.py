"""The network's own code sets: `codes/<id>.toml`, each with version and source."""

import tomllib
from functools import cache
from pathlib import Path

import pydantic

from services.measures.language.codes import ICD10CM, LOINC, RXNORM, SNOMED, Code, CodeSet

FOLDER = Path(__file__).parent / "codes"
SYSTEMS = {"SNOMED CT": SNOMED, "ICD-10-CM": ICD10CM, "LOINC": LOINC, "RxNorm": RXNORM}


class _Code(pydantic.BaseModel, extra="forbid"):
    system: str
    code: str
    meaning: str


class _File(pydantic.BaseModel, extra="forbid"):
    title: str
    version: str
    source: str
    code: list[_Code] = []
    category: list[_Code] = []


@cache
def code_set(name: str) -> CodeSet:
    """The code set of a file. ValueError where there is none, or it cannot be used."""
    path = FOLDER / f"{name}.toml"
    try:
        read = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        codes, categories = (tuple(_code(each) for each in some) for some in (read.code, read.category))
    except FileNotFoundError:
        raise ValueError(f"no code set {name}: codes/{name}.toml is not there") from None
    except (tomllib.TOMLDecodeError, pydantic.ValidationError, KeyError) as exc:
        raise ValueError(f"codes/{name}.toml cannot be used: {exc}") from exc
    return CodeSet(name, read.version, read.title, codes, categories)


def _code(read: _Code) -> Code:
    return Code(SYSTEMS[read.system], read.code, read.meaning)
