"""What is to go: the conversations of each day that landing or lake still hold of what is erased.

Lives here: finding them by pseudonyms, without reading a text. Not here: removing them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.storage.lake import Lake
from dagster_project.storage.landing import Landing
from dagster_project.storage.landing_rewriting import Change, keys_of, only, without
from dagster_project.storage.tombstones import Erased


@dataclass(frozen=True)
class Doomed:
    """What goes of one day. conversations: their pseudonyms; whole: everything, by age, named or not."""

    conversations: frozenset[str]
    whole: bool = False

    @property
    def without(self) -> Change:
        """The change that takes these rows out of a landing part."""
        return (lambda table: table.slice(0, 0)) if self.whole else without(self.conversations)

    @property
    def only(self) -> Change:
        """The change that leaves these rows alone."""
        return (lambda table: table) if self.whole else only(self.conversations)

    def left(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of a lake table that stay."""
        return frame.filter(~self._goes)

    def gone(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of a lake table that go."""
        return frame.filter(self._goes)

    @property
    def _goes(self) -> pl.Expr:
        return pl.lit(True) if self.whole else pl.col("conversation_key").is_in(list(self.conversations))


def survey(landing: Landing, lake: Lake, erased: Erased) -> dict[date, Doomed]:
    """By day, what landing and lake hold of what is erased; days that hold nothing of it are not there."""
    found: dict[date, Doomed] = {}
    for day in sorted({*landing.days(), *lake.days("conversations"), *lake.days("messages")}):
        if erased.before is not None and day < erased.before:
            found[day] = Doomed(frozenset(), whole=True)
        elif erased.users or erased.conversations:
            keys = _of_landing(landing, day, erased) | _of_lake(lake, day, erased)
            if keys:
                found[day] = Doomed(keys)
    return found


def named(doomed: Mapping[date, Doomed]) -> frozenset[str]:
    """Pseudonyms of all conversations that go by name."""
    return frozenset(key for one in doomed.values() for key in one.conversations)


def items_of(lake: Lake, doomed: Mapping[date, Doomed]) -> frozenset[str]:
    """The items under which coders were shown any of what goes."""
    return frozenset(
        item for day, one in doomed.items() for item in one.gone(lake.read("human_samples", day))["item_id"]
    )


def _of_landing(landing: Landing, day: date, erased: Erased) -> frozenset[str]:
    users, conversations = (pa.array(sorted(keys), pa.string()) for keys in (erased.users, erased.conversations))
    found: set[str] = set()
    for part in landing.parts(day):
        keys = keys_of(part)
        mask = pc.or_(pc.is_in(keys["user_key"], users), pc.is_in(keys["conversation_key"], conversations))
        found.update(keys.filter(mask)["conversation_key"].to_pylist())
    return frozenset(found)


def _of_lake(lake: Lake, day: date, erased: Erased) -> frozenset[str]:
    heads = _keys(lake, "conversations", day, ["conversation_key", "user_key"])
    mask = pl.col("user_key").is_in(list(erased.users)) | pl.col("conversation_key").is_in(list(erased.conversations))
    # A run killed between two tables leaves messages whose conversation is not there yet.
    texts = _keys(lake, "messages", day, ["conversation_key"])
    of_texts = texts.filter(pl.col("conversation_key").is_in(list(erased.conversations)))
    return frozenset([*heads.filter(mask)["conversation_key"], *of_texts["conversation_key"]])


def _keys(lake: Lake, table: str, day: date, columns: list[str]) -> pl.DataFrame:
    """Some columns of a day, and never its texts: all days of a home are read."""
    path = lake.path(table, day)
    if not path.exists():
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return pl.DataFrame(pl.from_arrow(pq.ParquetFile(path).read(columns=columns)))
