"""Who contributed to which published cell: kept in the private zone, so that a correction can be held against it.

Lives here: keeping the contributions of each published period and revision, and comparing two of them. Not here: what
counts where (dbt's `int_contributions`), which changes may be published (`domain/disclosure/corrections.py`).
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from dagster_project.domain.disclosure.corrections import Change
from dagster_project.domain.periods import Period
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import private_folder, replacing
from dagster_project.storage.warehouse import reading

INPUTS, TOPICS = "inputs", "topics"
CELL = ["table_name", "cell"]
SCHEMA = {
    "table_name": pl.String,
    "cell": pl.String,
    "conversation_key": pl.String,
    "user_key": pl.String,
    "sentiment_start": pl.Float64,
    "sentiment_end": pl.Float64,
    "tone_first": pl.Float64,
    "answered": pl.String,
}


class NotComparable(ConfideError):
    """What was published cannot be compared any more; one line that names the period."""


def contributions_of(home: Home, period: Period) -> pl.DataFrame:
    """Of a period as the warehouse counts it: table_name, cell, conversation_key, user_key and what means are made of.

    Raises WarehouseError as `warehouse.reading` does.
    """
    with reading(home) as connection:
        found: pl.DataFrame = connection.execute(
            f"select {', '.join(SCHEMA)} from intermediate.int_contributions where period_key = ? order by all",
            [period.key],
        ).pl()
    return found.cast(pl.Schema(SCHEMA))


class Contributions:
    """The kept contributions of one home: `private/contributions/<period>/<revision>.parquet`."""

    def __init__(self, home: Home) -> None:
        self._folder = home.private / "contributions"

    def keep(self, period: Period, revision: int, rows: pl.DataFrame, inputs: str, topics: str = "") -> None:
        """Keep those of a revision that is about to be published; one that never was is replaced by the next.

        inputs: digest of what the period was counted from. topics: of its topics and who is of them.
        """
        file = self._file(period, revision)
        private_folder(file.parent)
        with replacing(file) as temporary:
            rows.write_parquet(temporary, compression="zstd", metadata={INPUTS: inputs, TOPICS: topics})

    def read(self, period: Period, revision: int) -> pl.DataFrame:
        """Those of a published revision. Raises NotComparable where they are gone, or damaged."""
        try:
            kept = pl.read_parquet(self._file(period, revision))
            if "answered" not in kept.columns:  # kept before people's answers were: whoever answered has come since
                kept = kept.with_columns(answered=pl.lit(None, pl.String))
            return kept.select(list(SCHEMA)).cast(pl.Schema(SCHEMA))
        except (OSError, pl.exceptions.PolarsError):
            raise NotComparable(
                f"{period.key} is closed to correction: what revision {revision} was counted from is not kept any more"
            ) from None

    def inputs(self, period: Period, revision: int) -> str | None:
        """Digest of what a revision was counted from; None where it is not kept."""
        return self._kept(period, revision, INPUTS)

    def topics(self, period: Period, revision: int) -> str | None:
        """Digest of the topics that a revision was counted with; None where it is not kept."""
        return self._kept(period, revision, TOPICS)

    def _kept(self, period: Period, revision: int, name: str) -> str | None:
        try:
            return pl.read_parquet_metadata(self._file(period, revision)).get(name)
        except (OSError, pl.exceptions.PolarsError):
            return None

    def forget(self, periods: Iterable[Period]) -> int:
        """Remove every revision of some periods; how many there were."""
        return sum(_remove(file) for period in periods for file in self._folder.joinpath(period.key).glob("*"))

    def periods(self) -> list[str]:
        """Keys of the periods of which something is kept."""
        return sorted(path.name for path in self._folder.glob("*") if any(path.iterdir()))

    def _file(self, period: Period, revision: int) -> Path:
        return self._folder / period.key / f"{revision}.parquet"


def changes(before: pl.DataFrame, after: pl.DataFrame) -> list[Change]:
    """Of every cell that either has, how many users' contributions came and went.

    A conversation that counts with another tone or answer, or of another user, has gone and come.
    """
    same = list(SCHEMA)
    added = _users(after.join(before, on=same, how="anti", nulls_equal=True), "users_added")
    removed = _users(before.join(after, on=same, how="anti", nulls_equal=True), "users_removed")
    cells = pl.concat([before.select(CELL), after.select(CELL)]).unique().sort(CELL)
    counted = cells.join(added, on=CELL, how="left").join(removed, on=CELL, how="left")
    for rows, name in ((before, "users_before"), (after, "users_after")):
        counted = counted.join(_users(rows, name), on=CELL, how="left")
    return [
        Change(
            row["table_name"],
            row["users_added"],
            row["users_removed"],
            tuple(row["cell"].split("/")) if row["cell"] else (),
            max(row["users_before"], row["users_after"]),
        )
        for row in counted.fill_null(0).iter_rows(named=True)
    ]


def _users(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.group_by(CELL).agg(pl.col("user_key").n_unique().cast(pl.Int64).alias(name))


def _remove(file: Path) -> int:
    file.unlink()
    return 1
