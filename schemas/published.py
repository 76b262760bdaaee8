"""How far a site has published: what its topic carries, a line a site, so that a state from a backup is told from the last one."""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import CONTRACT_MAJOR


class Mark(NamedTuple):
    """A point in a site's history; later ones are greater."""

    epoch: int
    number: int


class SitePublished(BaseModel):
    """The value of a site's mark. Its publisher alone reads it."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    site: str = Field(description="The site; the key, too.")
    epoch: int = Field(ge=1, description="The state's epoch; it rises with `mainstem restore`.")
    number: int = Field(
        ge=0, description="Of the site's last change that may be in the outcome topic; told before it was sent."
    )

    @property
    def mark(self) -> Mark:
        """Epoch and number."""
        return Mark(self.epoch, self.number)


def site_topic(network: str) -> str:
    """The topic of how far each site has published."""
    return f"{network}.site.v{CONTRACT_MAJOR}"


def site_type(network: str) -> str:
    """`ce_type` of a mark."""
    return f"{network}.site.published.v{CONTRACT_MAJOR}"
