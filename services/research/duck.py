"""An extract's Parquet files as one DuckDB database beside them."""

from pathlib import Path

from schemas.errors import OperatorError

NAME = "extract.duckdb"


def write_duckdb(folder: Path) -> Path:
    """A table a file. Raises OperatorError where DuckDB is not installed."""
    try:
        import duckdb
    except ImportError as exc:
        raise OperatorError("DuckDB is not installed", "Install mainstem[research], or leave --duckdb out.") from exc
    path = folder / NAME
    with duckdb.connect(str(path)) as database:
        for each in sorted(folder.glob("*.parquet")):
            source = str(each).replace("'", "''")
            database.execute(f"CREATE TABLE \"{each.stem}\" AS SELECT * FROM read_parquet('{source}')")
    path.chmod(0o600)
    return path
