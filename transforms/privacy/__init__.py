"""Who may see what: pseudonyms under the site's key, and the allow-list of fields by sharing tier.

`field_policy.toml` is touched for every new field: one line a field and tier, and what is not listed does not leave.
"""

from transforms.privacy.field_policy import FieldPolicy
from transforms.privacy.pseudonyms import Pseudonyms

__all__ = ["FieldPolicy", "Pseudonyms"]
