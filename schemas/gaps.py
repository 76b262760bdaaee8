"""Why a type could not be read whole: gap causes, each with what to do and who can do it."""

from enum import StrEnum
from typing import Literal

Who = Literal["site IT", "EHR vendor", "network"]
"""Who can mend something: whoever runs the hospital's machines, the maker of its EHR, whoever runs Mainstem."""


class GapCause(StrEnum):
    """Why a window of a type is missing. Each has `meaning`, `fix` and `who`, for people at the site."""

    meaning: str
    fix: str
    who: Who

    def __new__(cls, code: str, meaning: str, fix: str, who: Who) -> "GapCause":
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning, member.fix, member.who = meaning, fix, who
        return member

    NOT_ANSWERED = (
        "not-answered",
        "The EHR or its network did not answer.",
        "Nothing, if it passes: the next run reads it. Where it lasts, ask whoever runs the EHR.",
        "site IT",
    )
    QUOTA_SPENT = (
        "quota-spent",
        "The day's quota of requests to the EHR is spent.",
        "Nothing, if it passes: the next run goes on. Where it lasts, give a larger quota; or a cohort is read.",
        "EHR vendor",
    )
    REFUSED = (
        "refused",
        "The EHR refuses the request.",
        "Have the EHR's administrator allow this client to read the type; `mainstem check` names the scope.",
        "site IT",
    )
    ERROR_ANSWER = (
        "error-answer",
        "The EHR answered with an error in the place of data.",
        "Find what failed by the type, the time and the error's code.",
        "EHR vendor",
    )
    SHORT_OF_COUNT = (
        "short-of-count",
        "Fewer resources came than the EHR counts.",
        "Nothing, if it passes: the next run reads it. Where it lasts, find out by the type and both numbers why they differ.",
        "EHR vendor",
    )
    END_NOT_PROVEN = (
        "end-not-proven",
        "A full page came without count or next page: whether it was the last is not known.",
        "Give paging links or a count; another fhir.page_size may do until then.",
        "EHR vendor",
    )
    PAGING = (
        "paging",
        "The EHR's paging links go in a circle, expire or do not end.",
        "Mend the paging links; another fhir.page_size may do until then.",
        "EHR vendor",
    )
    FILE_NOT_READ = (
        "file-not-read",
        "A file of the export or delivery could not be fetched or is not what it says.",
        "Run it again; where it stays so, have the file exported again.",
        "site IT",
    )
    CUT = (
        "cut",
        "A file ends in mid-line or mid-block.",
        "Deliver it again; write it elsewhere and rename it when it is whole.",
        "site IT",
    )
    EXPORT_ERROR = (
        "export-error",
        "The EHR reports errors in its own export.",
        "Mend what the export's errors name; they stand in the load's landing folder (OperationOutcome).",
        "EHR vendor",
    )
    FELL_SILENT = (
        "fell-silent",
        "The EHR gave nothing of a type of which it had some before.",
        "Ask whether the client's permissions changed; if it is true, `mainstem gaps accept`.",
        "site IT",
    )
    SHARP_FALL = (
        "sharp-fall",
        "Far less came of a type than before.",
        "Ask whether the export's scope changed; if it is true, `mainstem gaps accept`.",
        "site IT",
    )
    WITHDRAWAL_HELD = (
        "withdrawal-held",
        "More of a type is gone from the EHR than is withdrawn unasked.",
        "Ask whether the client's permissions changed; if it is true, `mainstem deletes release`.",
        "site IT",
    )
    NOT_DELIVERED = (
        "not-delivered",
        "No file of the type was delivered, as there was before.",
        "Deliver the type, if only as an empty file; if it is no longer exported, `mainstem gaps accept`.",
        "site IT",
    )
    DELIVERY_LATE = (
        "delivery-late",
        "The delivery is empty, missing, the same as before or still being written.",
        "Check the job that delivers, and that the share is mounted.",
        "site IT",
    )
    UNKNOWN_TYPE = (
        "unknown-type",
        "Files whose resource type cannot be told, by name or first lines.",
        "Name files after their type, such as Observation.ndjson.",
        "site IT",
    )
    NOT_EXPORTED = (
        "not-exported",
        "The EHR does not export the type.",
        'Read it by search (`road = "search"`), or leave it out of the site\'s types.',
        "site IT",
    )
    NOT_WHOLE = (
        "not-whole",
        "What came is not whole.",
        "Have the rest delivered or exported again.",
        "site IT",
    )
    NOT_MAPPED = (
        "not-mapped",
        "What came was not mapped.",
        "Run it again; the landed data is kept.",
        "network",
    )
