"""A name that leaks once is out for ever: canaries in every field of the input, errors provoked in every step."""

import random
import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.support.homes import confide, done
from tests.support.scan import found, outside_private
from tests.support.worlds import conversation, days_from, small_world, write_lines

DAYS = days_from("2026-10-05", 7)
WHERE = (
    "user_id",
    "conversation_id",
    "surface",
    "content",
    "reply",
    "system",
    "key",
    "role",
    "time",
    "badline",
    "block",
)
NAMES = [f"Zorvane{where.replace('_', '')}" for where in WHERE]
EMAILS = [f"{where}.quixley@canary-{where.replace('_', '')}.example" for where in WHERE]
NUMBERS = [f"+44 7700 9{i:05d}" for i in range(len(WHERE))]
CANARIES = NAMES + EMAILS + NUMBERS


def canary(where: str) -> str:
    i = WHERE.index(where)
    return f"{NAMES[i]} {EMAILS[i]} {NUMBERS[i]}"


def planted() -> list[dict[str, object]]:
    """A week of talk in which every field of some conversations holds a name, an e-mail address and a number."""
    rows: list[dict[str, object]] = [dict(r) for r in small_world(DAYS, a_day=90, users=320)]
    rng = random.Random(3)
    for i in range(40):
        row = conversation(rng, 50_000 + i, DAYS[i % 7], f"{canary('user_id')} {i % 20}", "counseling", 6)
        row["conversation_id"] = f"{canary('conversation_id')} {i}"
        row["surface"] = canary("surface")
        row["messages"][0]["content"] += f", says {canary('content')}"
        row["messages"][1]["content"] += f" Dear {canary('reply')}"
        row["messages"].insert(0, {"role": "system", "content": f"You serve {canary('system')}"})
        row["messages"].append({"role": "user", "content": [{"type": "text", "text": canary("block")}]})
        row[canary("key")] = {canary("key"): canary("key")}
        rows.append(row)
    bad_role = conversation(rng, 60_000, DAYS[0], "u1", "fact", 1)
    bad_role["messages"][0]["role"] = canary("role")
    bad_time = conversation(rng, 60_001, DAYS[0], "u1", "fact", 1) | {"started_at": canary("time")}
    return [*rows, bad_role, bad_time]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("canaries")
    home = root / "home"
    lines = write_lines(root / "logs.jsonl", planted())
    with lines.open("a") as file:
        file.write(f'{{"conversation_id": "x", "messages": "{canary("badline")}"\n')
    said = [done(confide(home, "init")), done(confide(home, "ingest", lines))]
    said += [done(confide(home, "run")), done(confide(home, "release", "2026-W41"))]
    said += [done(confide(home, "status")), done(confide(home, "doctor"))]
    (root / "said.txt").write_text("\n".join(s.out + s.err for s in said))
    return home


def test_no_canary_is_anywhere_outside_the_private_places(home: Path) -> None:
    files = outside_private(home)
    assert len(files) > 20, "the scan looked at too little to mean anything"
    assert found([*files, home.parent / "said.txt"], CANARIES) == []


def test_the_scan_itself_finds_canaries_where_they_are_allowed(home: Path) -> None:
    """A scan that finds nothing anywhere would pass for ever."""
    lake = list((home / "private" / "lake" / "messages").rglob("*.parquet"))
    assert found(lake, CANARIES) != []
    assert found((home / "quarantine").rglob("*.*"), CANARIES) != []


def damaged(home: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(home, copy, symlinks=True)
    return copy


def poison(file: Path, column: str) -> None:
    """Put canaries where the next step expects something else, so that its error would quote them."""
    frame = pl.read_parquet(file, hive_partitioning=False)
    frame.with_columns(pl.lit(f"{canary('content')}").alias(column)).write_parquet(file)


@pytest.mark.parametrize(
    ("broken", "column"),
    [
        ("landing/day=2026-10-07/*.parquet", "started_at"),
        ("private/lake/messages/day=2026-10-07/data.parquet", "role"),
        ("private/lake/conversations/day=2026-10-07/data.parquet", "n_human_messages"),
        ("private/lake/screen_labels/day=2026-10-07/data.parquet", "status"),
    ],
)
def test_an_error_in_any_step_tells_no_canary(home: Path, tmp_path: Path, broken: str, column: str) -> None:
    copy = damaged(home, tmp_path)
    for file in copy.glob(broken):
        poison(file, column)
    said = confide(copy, "run", "--from", DAYS[2], "--to", DAYS[2])
    told = tmp_path / "said.txt"
    told.write_text(said.out + said.err)
    assert said.code in (0, 1), "neither done nor failed in our own words"
    assert "Traceback" not in said.err
    assert found([*outside_private(copy), told], CANARIES) == []


def test_a_refused_release_tells_no_canary(home: Path, tmp_path: Path) -> None:
    copy = damaged(home, tmp_path)
    (copy / "private" / "release_ledger.jsonl").write_text(canary("content"))
    said = confide(copy, "release", "2026-W41")
    told = tmp_path / "said.txt"
    told.write_text(said.out + said.err)
    assert said.code == 1
    assert found([*outside_private(copy), told], CANARIES) == []
