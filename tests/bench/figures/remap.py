"""What was landed, mapped again under a code map that changes nothing of it: each line is mapped, none is published."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import content
from bench import LINES, Bench
from checkouts import Checkout
from figure import Figure

HEADER = "system,code,target_system,target_code,note\n"
NOTHING = f"{HEADER}urn:oid:9.9.9,NOBODY,http://loinc.org,8302-2,\n"


def figures(bench: Bench) -> Iterator[Figure]:
    """Resources a second, beside the first load of the same run without its pull."""
    for checkout in bench.checkouts:
        if not (checkout.folder / "mainstem" / "commands" / "remap.py").exists():
            continue  # an older one
        first, again = _replayed(bench, checkout)
        read = again["total"]["read"]
        rate, before = read / again["seconds"], _without_pull(first)
        note = f"{rate / before:.2f} of a first load without pull ({before:,.0f}); {again['published']} published"
        yield Figure("remap, nothing differs (sqlite)", rate, "resources/s", checkout.name, None, "≥ 1 of it", note)


def _without_pull(report: dict[str, Any]) -> float:
    seconds = report["seconds"] - report["shares"].get("pull", 0)
    return float(report["total"]["read"] / seconds)


def _replayed(bench: Bench, checkout: Checkout) -> tuple[dict[str, Any], dict[str, Any]]:
    """The reports of a first load and of a remap after it."""
    folder = bench.folder / f"remap-{checkout.name}"
    folder.mkdir()
    env = {
        "MAINSTEM_KAFKA": bench.kafka,
        "MAINSTEM_NETWORK": f"remap-{checkout.name}",
        "MAINSTEM_DATABASE_URL": f"sqlite:///{folder / 'state.db'}",
        "MAINSTEM_LANDING": str(folder / "landing"),
        "MAINSTEM_DERIVE": "none",
    }
    shutil.copytree(bench.delivery("repeated", LINES), folder / "lines")
    site = _with_code_map(content.site_file(folder / "lines"), HEADER)
    checkout.mainstem("topics", "create", "--replication", "1", **env)
    first = json.loads(checkout.mainstem("run", site, "--json", **env).out)
    _with_code_map(content.site_file(folder / "lines"), NOTHING)
    again = json.loads(checkout.mainstem("remap", "--site", site, "--json", **env).out)
    shutil.rmtree(folder)
    return first, again


def _with_code_map(site: Path, text: str) -> Path:
    (site.parent / "codes.csv").write_text(text)
    site.write_text(f'code_map = "codes.csv"\n{site.read_text()}')
    return site
