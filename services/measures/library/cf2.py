"""CF-2, nutrition in cystic fibrosis: children whose BMI percentile is 50 or more (the Cystic Fibrosis Foundation's goal)."""

from services.measures.measure import Cohort, Measure, Target

MEASURE = Measure(
    id="CF-2",
    version="1",
    title="Nutrition in cystic fibrosis",
    question="How many children with cystic fibrosis have a BMI percentile of 50 or more?",
    people=("child with cystic fibrosis", "children with cystic fibrosis"),
    achievement="a BMI percentile of 50 or more",
    denominator=(
        "Patients with cystic fibrosis (SNOMED CT 190905008 or ICD-10-CM E84.*, unless refuted or unconfirmed) who were 2 to 19 "
        "years old at their last visit of the month, any kind of visit but planned and cancelled ones, "
        "and have a BMI percentile (LOINC 59576-9) from that month."
    ),
    numerator="Of these, patients whose last BMI percentile of the month is 50 or more.",
    exclusions="Patients younger than 2 or older than 19 at the visit; for adults the goal is another (BMI ≥ 22 for women, ≥ 23 for men).",
    unknown="Patients of that age seen in the month without a BMI percentile. They are counted beside the chart, not in it.",
    cohort=Cohort(snomed=("190905008",), icd10cm=("E84",), youngest=2, oldest=19),
    target=Target(loinc="59576-9", at_least=50, lowest=0, highest=100),
    chart="p",
    higher_is_better=True,
    strata=("site",),
)
