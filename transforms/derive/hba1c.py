"""HbA1c against the thresholds of the diabetes measures."""

from transforms.derive.kinds.scores import below, scored

VALUES = (
    scored(
        "hba1c-band",
        ("4548-4", "4549-2", "17856-6"),
        ((below(7), "below-7"), (9, "7-to-9"), (25, "above-9")),
        ("American Diabetes Association. Diabetes Care 2024;47(Suppl 1):S111-25", "eCQI CMS122: above 9 %"),
        lowest=2,
        unit="%",
        quantity="glycated hemoglobin",
        from_unit="%",
    ),
)
