"""Device → no record: its codes and names are kept for the statements of use that name it.

One that names a patient (US Core's implantable device) says what somebody carries, and neither from when to when nor
whether it is in use: it is skipped by that name.
"""

from schemas.problems import Reason
from transforms.rules import Kept, kept_device

RESOURCE = Kept(source="Device", keep=kept_device, alone={"patient": Reason.DEVICE_ALONE})
