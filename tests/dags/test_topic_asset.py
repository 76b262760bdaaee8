"""The outcome topic is an asset before any task tells of it: of two that make it at one moment, Airflow calls one failed."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainstem.config.settings import Settings

pytest.importorskip("airflow")
pytestmark = pytest.mark.airflow


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Any]:
    """Airflow's table of assets, alone."""
    from airflow.models.asset import AssetModel
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    engine = create_engine(f"sqlite:///{tmp_path}/assets.db")
    AssetModel.metadata.create_all(engine, [AssetModel.__table__])
    with Session(engine) as opened:
        yield opened
    engine.dispose()


@pytest.mark.parametrize(
    ("dag", "network", "made"),
    [
        ("ehr_pull__north", "lhn", [("lhn.outcome.v1", "kafka://b1:9092/lhn.outcome.v1", "asset", {})]),
        ("ehr_pull__north", "No Network's Name!", []),
        ("somebody_elses", "lhn", []),
    ],
)
def test_a_run_of_a_site_makes_the_topics_asset_once(
    session: Any, monkeypatch: pytest.MonkeyPatch, dag: str, network: str, made: list[Any]
) -> None:
    """As tasks name it. A scheduler without the network's settings starts its runs all the same."""
    import sqlalchemy.orm
    from airflow.models.asset import AssetModel

    from dags.topic_asset import asset_of, on_dag_run_running

    monkeypatch.setenv("MAINSTEM_NETWORK", network)
    monkeypatch.setenv("MAINSTEM_KAFKA", "b1:9092,b2:9092")
    monkeypatch.setattr(sqlalchemy.orm, "object_session", lambda _run: session)
    for _ in range(2):
        on_dag_run_running(SimpleNamespace(dag_id=dag), "")  # type: ignore[arg-type]
    session.commit()
    standing = [(each.name, each.uri, each.group, each.extra) for each in session.query(AssetModel)]
    assert standing == made
    if made:
        asset = asset_of(Settings(network="lhn", kafka="b1:9092"))
        assert (asset.name, asset.uri) == made[0][:2]
