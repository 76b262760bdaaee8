"""Sections of a site's file that know nothing of the others: where the site is, and caps against broken input."""

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.showing import is_one_line


class Section(BaseModel):
    """One table of the file: its keys are known, its words printable."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @field_validator("*")
    @classmethod
    def _one_printable_line(cls, value: object) -> object:
        """A name goes to terminals, logs, pages and headers: refused here, it needs no care there."""
        given = list(value.values()) if isinstance(value, dict) else [value]
        for text in (each for some in given for each in (some if isinstance(some, list) else [some])):
            if isinstance(text, str) and not is_one_line(text):
                raise ValueError("must be one line of printable characters, 1,000 at most")
        return value


class Place(Section):
    """Where the site is: patients' distances are reckoned from here, and leave as bands alone."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False, description="Degrees north (WGS 84): 39.1410.")
    longitude: float = Field(
        ge=-180, le=180, allow_inf_nan=False, description="Degrees east; west is negative: -84.5020."
    )

    @model_validator(mode="after")
    def _somewhere(self) -> "Place":
        if self.latitude == self.longitude == 0:
            raise ValueError("latitude and longitude are both 0, which lies in the sea: give the hospital's own")
        return self


class Limits(Section):
    """Caps against broken input."""

    line_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, description="Longest NDJSON line.")
    pages: int = Field(default=100_000, ge=1, description="Most pages of one search.")
    file_bytes: int = Field(default=1 << 40, ge=1, description="Largest downloaded or delivered file, unpacked.")
    fall_percent: float = Field(
        default=30, gt=0, le=100, description="How much less of a type may come by a full read than by the last one."
    )
    withdraw_percent: float = Field(
        default=5, ge=0, le=100, description="Largest share of a type withdrawn unasked because a full read lacks it."
    )
    withdraw_count: int = Field(default=50, ge=0, description="The same as a number; the larger of both holds.")
    quarantine_lines: int = Field(
        default=100_000, ge=0, description="Most unusable lines of a type and load kept to look at; all are counted."
    )
    quarantine_bytes: int = Field(
        default=1 << 30, ge=0, description="Most bytes of them; a line that would pass it is counted, not kept."
    )
