"""Time in range of continuous glucose monitoring, against its target."""

from transforms.derive.kinds.scores import scored

VALUES = (
    scored(
        "time-in-range",
        ("97510-2",),
        ((70, "target-missed"), (100, "target-met")),
        ("Battelino T et al. Diabetes Care 2019;42:1593-603, doi:10.2337/dci19-0028: above 70 %",),
        unit="%",
        quantity="time in range",
        from_unit="%",
    ),
)
