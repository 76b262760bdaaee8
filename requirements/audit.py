"""Known vulnerabilities of the locked packages, by pip-audit: `make audit`. Without a way to the advisories it says so and passes.

Nothing is installed or resolved: the locks name every package with its version.
"""

import json
import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).parent
SECONDS = 300


def main() -> int:
    """1 where a locked package has a known vulnerability."""
    found = 0
    for lock in sorted(LOCKS.glob("*.txt")):
        said = audited(lock)
        if said is None:
            print(f"{lock.name}: not audited, the advisories cannot be reached from here")
            continue
        packages = json.loads(said)["dependencies"]
        faults = [line for package in packages for line in lines(package)]
        unasked = sum("skip_reason" in package for package in packages)
        print(
            f"{lock.name}: {len(packages) - unasked} of {len(packages)} packages audited, {len(faults)} known vulnerabilities"
        )
        for line in faults:
            print(f"  {line}")
        found += len(faults)
    return 1 if found else 0


def audited(lock: Path) -> str | None:
    """pip-audit's answer as JSON; None where it could not ask."""
    asked = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--disable-pip"]
    try:
        done = subprocess.run(
            [*asked, "--require-hashes", "--requirement", lock],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode in (0, 1) and done.stdout.startswith("{"):
        return done.stdout
    if "No module named" in done.stderr:
        raise SystemExit("pip-audit is not installed: `make setup-dev`")
    return None


def lines(package: dict[str, object]) -> list[str]:
    """A line a vulnerability: what, in which version, mended by which."""
    known = package.get("vulns") or []
    assert isinstance(known, list)
    return [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'no version yet'}"
        for one in known
    ]


if __name__ == "__main__":
    sys.exit(main())
