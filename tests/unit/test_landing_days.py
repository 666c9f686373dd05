"""A lake day is a pure function of its parts: no order, no buffer, no repetition may change a row of it."""

import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from dagster_project.domain.conversations import Message, Role
from dagster_project.home import Home
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.storage.landing import Landing, assemble_day
from dagster_project.storage.landing_writer import LandingWriter
from dagster_project.storage.pseudonyms import NO_USER
from tests.support.conversations import new_home

DAY = date(2026, 10, 5)
AT = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path / "home")


def key(number: int) -> str:
    return f"{number:032x}"


def land(home: Home, *versions: tuple[int, datetime, str], buffer_bytes: int = 1_000_000) -> list[str]:
    """Land conversations: number, start, and one letter a message, the person first."""
    with LandingWriter(home, Landing(home), buffer_bytes) as writer:
        for number, started_at, letters in versions:
            writer.add(
                conversation_key=key(number),
                user_key=NO_USER,
                started_at=started_at,
                assumed_utc=False,
                surface=None,
                content_hash=f"{hash(letters) % 2**128:032x}",
                messages=tuple(Message((Role.USER, Role.ASSISTANT)[i % 2], c) for i, c in enumerate(letters)),
            )
        return writer.land()


def texts(home: Home, day: date = DAY) -> dict[str, str]:
    """What the day says, by conversation."""
    conversations, messages = Landing(home).read_day(day)
    said = messages.group_by("conversation_key", maintain_order=True).agg(pl.col("content").str.join(""))
    assert said["conversation_key"].to_list() == conversations["conversation_key"].to_list()
    return dict(said.iter_rows())


def test_rows_have_the_lakes_schemas_and_an_order_of_their_own(home: Home) -> None:
    land(home, (3, AT, "ab"), (2, AT, "cdc"), (1, AT + timedelta(hours=1), "e"))
    conversations, messages = Landing(home).read_day(DAY)
    assert dict(conversations.schema) == TABLES["conversations"]
    assert dict(messages.schema) == TABLES["messages"]
    assert conversations["conversation_key"].to_list() == [key(2), key(3), key(1)]
    assert conversations.select("n_messages", "n_human_messages", "n_assistant_messages").rows() == [
        (3, 2, 1),
        (2, 1, 1),
        (1, 1, 0),
    ]
    assert messages.select("message_index", "role", "content").rows()[:3] == [
        (0, "user", "c"),
        (1, "assistant", "d"),
        (2, "user", "c"),
    ]


def test_a_day_on_which_nothing_landed_is_empty_and_can_be_written(home: Home) -> None:
    found = assemble_day(Landing(home), DAY)
    assert (found.conversations.height, found.messages.height, found.about["n_users"]) == (0, 0, "0")
    Lake(home).write("conversations", DAY, found.conversations, found.about)
    assert Lake(home).read("conversations", DAY).height == 0


def test_of_several_versions_the_longest_stays_then_the_latest(home: Home) -> None:
    land(home, (1, AT, "abc"), (2, AT, "x"), (3, AT, "p"), (3, AT, "pq"))
    land(home, (1, AT, "ab"), (2, AT, "y"))
    assert texts(home) == {key(1): "abc", key(2): "y", key(3): "pq"}


def test_the_small_buffer_of_a_large_input_changes_no_row_and_no_number_of_parts(tmp_path: Path) -> None:
    """Five gigabytes over a year must neither fill the memory nor leave tens of thousands of tiny files."""
    versions = [(n, AT + timedelta(hours=7 * n), "ab" * (n % 5 + 1)) for n in range(60)]
    homes = [new_home(tmp_path / "a"), new_home(tmp_path / "b")]
    parts = [land(homes[0], *versions), land(homes[1], *versions, buffer_bytes=2_000)]
    days = Landing(homes[0]).days()
    assert days == Landing(homes[1]).days()
    assert [len(names) for names in parts] == [len(days)] * 2
    for day in days:
        one, other = (Landing(home).read_day(day) for home in homes)
        assert one[0].equals(other[0]) and one[1].equals(other[1])


def test_midnight_belongs_to_the_day_that_begins(home: Home) -> None:
    midnight = datetime(2026, 10, 6, tzinfo=UTC)
    land(home, (1, midnight - timedelta(microseconds=1), "a"), (2, midnight, "b"))
    assert texts(home) == {key(1): "a"}
    assert texts(home, date(2026, 10, 6)) == {key(2): "b"}


def test_the_same_input_gives_parts_of_the_same_names_and_bytes(tmp_path: Path) -> None:
    homes = [new_home(tmp_path / "a"), new_home(tmp_path / "b")]
    (one,), (other,) = (land(home, (1, AT, "ab"), (2, AT, "c")) for home in homes)
    assert one == other
    assert (homes[0].landing / one).read_bytes() == (homes[1].landing / other).read_bytes()


def test_the_name_of_a_part_tells_its_content(tmp_path: Path) -> None:
    """`inputs` is made of names: other content under the same name would leave a stale day unnoticed."""
    homes = [new_home(tmp_path / "a"), new_home(tmp_path / "b")]
    land(homes[0], (1, AT, "ab"))
    land(homes[1], (1, AT, "ac"))
    assert Landing(homes[0]).inputs(DAY) != Landing(homes[1]).inputs(DAY)


def test_parts_are_numbered_past_those_there_are(home: Home) -> None:
    """A clock that steps back must not make an older version the latest."""
    for _ in range(11):
        land(home, (1, AT, "ab"))
    land(home, (1, AT, "xy"))
    assert [path.name[:8] for path in Landing(home).parts(DAY)] == [f"{n:08d}" for n in range(1, 13)]
    assert texts(home) == {key(1): "xy"}


def test_parts_are_private_and_nothing_else_is_left(home: Home) -> None:
    land(home, *[(n, AT, "ab") for n in range(50)], buffer_bytes=2_000)
    (part,) = home.landing.rglob("*.*")
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert stat.S_IMODE(part.parent.stat().st_mode) == 0o700
    assert list(home.tmp.iterdir()) == []


def test_what_a_killed_ingest_left_behind_is_removed_and_never_read(home: Home) -> None:
    land(home, (1, AT, "ab"))
    leftovers = [home.landing / f"day={DAY}" / ".00000002.pending.tmp", home.tmp / "ingest-dead" / "000000.arrow"]
    for path in leftovers:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert texts(home) == {key(1): "ab"}
    land(home, (2, AT, "c"))
    assert not any(path.exists() for path in leftovers)


def test_days_are_stale_until_both_tables_are_written_from_the_present_parts(home: Home) -> None:
    landing, lake = Landing(home), Lake(home)
    assert landing.stale_days(lake) == []
    land(home, (1, AT, "ab"))
    found = assemble_day(landing, DAY)
    lake.write("messages", DAY, found.messages, found.about)
    assert landing.stale_days(lake) == [DAY]
    lake.write("conversations", DAY, found.conversations, found.about)
    assert landing.stale_days(lake) == []
    land(home, (2, AT, "late"), (3, AT - timedelta(days=40), "later"))
    assert landing.stale_days(lake) == [DAY - timedelta(days=40), DAY]


def test_a_day_whose_parts_were_all_removed_is_stale_until_it_is_emptied(home: Home) -> None:
    landing, lake = Landing(home), Lake(home)
    (name,) = land(home, (1, AT, "ab"))
    for _ in range(2):
        found = assemble_day(landing, DAY)
        lake.write("messages", DAY, found.messages, found.about)
        lake.write("conversations", DAY, found.conversations, found.about)
        assert landing.stale_days(lake) == []
        (home.landing / name).unlink(missing_ok=True)
    assert lake.read("messages", DAY).height == 0


def test_what_the_lake_remembers_of_a_day_is_counts(home: Home) -> None:
    land(home, (1, AT, "ab"), (2, AT, "c"))
    about = assemble_day(Landing(home), DAY).about
    inputs = about.pop("inputs")
    assert inputs == Landing(home).inputs(DAY)
    assert about == {
        "n_conversations": "2",
        "n_messages": "3",
        "n_users": "1",
        "n_without_user_id": "2",
        "n_assumed_utc": "0",
    }


def test_the_index_can_be_fed_from_a_part_without_its_texts(home: Home) -> None:
    (name,) = land(home, (1, AT, "ab"))
    (entry,) = Landing(home).entries(name)
    assert (entry.conversation_key, entry.started_at, entry.n_messages) == (key(1), AT, 2)
    assert pq.ParquetFile(home.landing / name).metadata.num_rows == 1
