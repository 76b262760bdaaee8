"""What every outcome record is made of: its ids, its fields with their sources, and the FHIR types that feed it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

RecordId = Annotated[str, Field(pattern=r"^r-[0-9a-f]{32}$")]
SubjectId = Annotated[str, Field(pattern=r"^s-[0-9a-f]{32}$")]
PartialDate = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
"""A calendar date as precise as its source: year, month or day."""
Number = Annotated[
    Decimal,
    PlainSerializer(lambda value: float(value), return_type=float, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
NullFlavour = Literal["NI", "UN", "OT"]


def fact(
    description: str,
    *,
    source: str,
    terminology: str | None = None,
    unit: str | None = None,
    default: Any = None,
    default_factory: Callable[[], Any] | None = None,
    required: bool = False,
) -> Any:
    """One field of a record: what it says, from which FHIR R4 path, in which terminology and unit."""
    extra: dict[str, Any] = {"source": source} | {k: v for k, v in (("terminology", terminology), ("unit", unit)) if v}
    if required:
        return Field(description=description, json_schema_extra=extra)
    if default_factory is not None:
        return Field(description=description, json_schema_extra=extra, default_factory=default_factory)
    return Field(description=description, json_schema_extra=extra, default=default)


class Coding(BaseModel):
    """A code in a code system, as the source gave it. Display texts are not carried: they may be licensed or free text."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    system: str | None = Field(default=None, description="Code system URI, repaired where only white space was wrong.")
    code: str = Field(description="The code.")


Codings = list[Coding]


class RecordType(BaseModel):
    """Which FHIR R4 resource types a record type is made from."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    fhir: ClassVar[tuple[str, ...]] = ()
    """Resource types whose resources become this record, each by its file in transforms/resources; of no two records."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Resource types of which some resources give such a record beside that of their own."""
    refers: ClassVar[tuple[str, ...]] = ()
    """Resource types looked up while these are mapped; they give no record of their own."""
    everywhere: ClassVar[tuple[str, ...]] = ()
    """Those of `fhir` that every hospital's system gives. The others are read where a source gives them: one that gives
    none lacks nothing, unless its site file names them."""
    by_name: ClassVar[tuple[str, ...]] = ()
    """Those of `fhir` that no site is asked for unless its file names them."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Those of them without which there is a record all the same: a source that has none of them lacks nothing."""

    lenders: ClassVar[tuple[str, ...]] = ()
    """Resource types that say something of these, and are read beside them; they give no record of their own."""


class Record(RecordType):
    """What every outcome record carries."""

    id: RecordId = Field(
        description="Keyed hash of the source resource (and part of it); stable over time at one site."
    )
    subject: SubjectId = Field(description="Pseudonym of the patient: HMAC-SHA-256 under the site's key, 128 bits.")
    site: str = Field(description="The site whose EHR holds the source.")
