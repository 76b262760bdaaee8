"""DiagnosticReport → no record: it lends its results its name and, where they have none of their own, its time."""

from transforms.rules import Lender, results_of

RESOURCE = Lender(source="DiagnosticReport", lend=results_of("reports"))
