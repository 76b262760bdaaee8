"""DiagnosticReport → no record of its own: it lends its results its name and, where they have none of their own, its time.

Results that stand in it alone give records, as they would outside.
"""

from transforms.rules import Contains, Lender, results_of

RESOURCE = Lender(source="DiagnosticReport", lend=results_of("reports"), contains=Contains("Observation", by="result"))
