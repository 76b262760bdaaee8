"""Estimated glomerular filtration rate, mL/min/1.73 m2."""

from transforms.derive.references.growth import Sex


def bedside_schwartz(height: float, creatinine: float) -> float:
    """Children: height in cm, creatinine in mg/dL (Schwartz GJ et al. J Am Soc Nephrol 2009;20:629-37)."""
    return 0.413 * height / creatinine


def ckd_epi_2021(sex: Sex, years: int, creatinine: float) -> float:
    """Adults: age in completed years, creatinine in mg/dL; without race (Inker LA et al. N Engl J Med 2021;385:1737-49)."""
    kappa, alpha, factor = (0.7, -0.241, 1.012) if sex == "F" else (0.9, -0.302, 1.0)
    part = creatinine / kappa
    return float(142 * min(part, 1) ** alpha * max(part, 1) ** -1.2 * 0.9938**years * factor)
