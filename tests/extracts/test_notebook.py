"""The notebook of the documentation, run from its first cell to its last: what it counts is what the network's chart counts."""

import json
from pathlib import Path
from typing import Any

import pytest
from services_story import NOW, SITES, fill, load_events, population
from sqlalchemy import Engine
from typer.testing import CliRunner

from mainstem.commands import app
from services.measures.evaluate.counts import NETWORK
from services.measures.library import measures
from services.pages.counted import Memory
from services.registry.database import reading, writing
from services.research.requests import answer, ask

NOTEBOOK = Path(__file__).parents[2] / "docs" / "extract.ipynb"


def test_notebook_draws_the_measure_as_the_network_counts_it(
    small_registry: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Month by month, met and measured."""
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    matplotlib.use("Agg")
    fill(small_registry, population(), load_events())
    with writing(small_registry) as connection:
        request = ask(connection, "ocdm", 1, ["190905008"], "A second opinion", by="r", at=NOW)
        for site in SITES:
            answer(connection, request, site, yes=True, by="t", at=NOW)
    environment = {
        "MAINSTEM_REGISTRY_URL": str(small_registry.url),
        "MAINSTEM_ACCESS_URL": f"sqlite:///{tmp_path}/access.db",
    }
    words = ["extract", "ocdm", "--request", request, "--to", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words, env=environment).exit_code == 0
    monkeypatch.setenv("MAINSTEM_EXTRACT", str(tmp_path / "out"))
    names: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
    with reading(small_registry) as connection:
        counted, _ = Memory().counted(connection, measures()["cf2"], NOW)
    ours = {
        each.period: (each.met, each.measured)
        for each in counted.counts["month"]
        if each.site == NETWORK and each.measured
    }
    theirs = {month: (int(row.met), int(row.measured)) for month, row in names["by_month"].iterrows()}
    assert {month: theirs.get(month) for month in ours} == ours
    assert len(ours) > 24
