"""What fhir.resources says of a resource does not depend on what it was asked before."""

import json
import subprocess
import sys

ASK = """
import json, sys
from transforms.fhir.conformance import conforms
print(json.dumps([conforms(line) for line in sys.stdin.buffer]))
"""


def test_path_is_told_whatever_was_judged_before() -> None:
    """A process that has judged another type already knows the names of fields that only the next type has."""
    given = [
        {"resourceType": "Patient", "gender": ["male"]},
        {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "referenceRange": "4 to 6"},
        {"resourceType": "Procedure", "status": "completed", "subject": {"reference": "Patient/1"}, "partOf": "x"},
    ]
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in given)
    told = json.loads(subprocess.run([sys.executable, "-c", ASK], input=lines, capture_output=True, check=True).stdout)
    paths = [each.split(": ")[0] for findings in told for each in findings]
    assert paths == ["Patient.gender", "Observation.referenceRange", "Procedure.partOf"]
