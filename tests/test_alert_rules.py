"""The alert rules are what Prometheus takes, by its own tool; one of them is tried on a series."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
RULES = REPOSITORY / "docker" / "monitoring" / "alerts.yml"
BUILT = REPOSITORY / "var" / "promtool" / "promtool"
LATE = """
rule_files: [{rules}]
tests:
  - interval: 1m
    input_series:
      - series: 'mainstem_site_late{{site="north"}}'
        values: '0x5 1x20'
      - series: 'mainstem_site_late{{site="south"}}'
        values: '0x25'
    alert_rule_test:
      - {{alertname: SiteLate, eval_time: 10m, exp_alerts: []}}
      - alertname: SiteLate
        eval_time: 20m
        exp_alerts:
          - exp_labels: {{severity: warning, site: north}}
            exp_annotations:
              summary: "north: its schedule passed and nothing was loaded"
              runbook: docs/how-to/alerts.md#sitelate
              runbook_url: "/how-to/alerts/#sitelate"
"""


@pytest.fixture
def promtool() -> str:
    """Prometheus' own tool; skips with the reason where it is not to be had."""
    found = shutil.which("promtool") or (str(BUILT) if BUILT.exists() else None)
    if found is None:
        pytest.skip("no promtool: `make promtool` fetches it")
    return found


def test_prometheus_takes_the_rules(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_site_that_is_late_is_told_of_and_no_other(promtool: str, tmp_path: Path) -> None:
    """Ten minutes after its schedule passed, not before; with the section that answers it."""
    series = tmp_path / "late.yml"
    series.write_text(LATE.format(rules=RULES))
    done = subprocess.run([promtool, "test", "rules", series], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
