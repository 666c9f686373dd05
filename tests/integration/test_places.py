"""Chat logs with an address are read like files of this machine, and leave nothing behind on it."""

import importlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pytest

from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.intake import ingest
from dagster_project.sources.places import PLACES, PlaceError, files_at, is_address, shown
from tests.support.conversations import NOW, landed, line, new_home, record

FIXTURES = Path(__file__).parents[1] / "fixtures" / "formats"


@pytest.fixture
def store() -> Iterator[Any]:
    """fsspec's own store in memory: an object store without a network."""
    found = fsspec.filesystem("memory")
    yield found
    found.rm("/", recursive=True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path / "home")


def lines(*records: Any) -> bytes:
    return b"".join(line(one) + b"\n" for one in records)


def test_a_bucket_lands_as_the_same_files_in_a_folder_do(store: Any, home: Home, tmp_path: Path) -> None:
    files = {
        "logs/a.jsonl": lines(record("c1"), record("c2"), "no object"),
        "logs/deeper/b.json": orjson.dumps([record("c3")]),
        "logs/notes.txt": b"not a log",
        "logs/.hidden.jsonl": lines(record("c4")),
    }
    for name, content in files.items():
        store.pipe(f"/{name}", content)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    seen: list[tuple[int, int]] = []
    report = ingest(home, ["memory://logs"], now=NOW, progress=lambda n, of: seen.append((n, of)))
    other = new_home(tmp_path / "other")
    local = ingest(other, [tmp_path / "logs"], now=NOW)
    assert landed(home) == landed(other)
    assert report.as_json() == local.as_json() and report.accepted == 3
    assert (report.files, report.files_passed_over) == (local.files, local.files_passed_over) == (2, 1)
    assert seen[-1][0] == seen[-1][1] > 0
    assert ingest(home, ["memory://logs/*.jsonl", "memory://logs/deeper/b.json"], now=NOW).duplicates == 3
    assert list(home.tmp.iterdir()) == []


def test_while_it_is_read_a_file_is_private_and_afterwards_it_is_gone(store: Any, home: Home) -> None:
    """Conversations in the system's temporary folder would be outside the private zone."""
    store.pipe("/logs/a.jsonl", lines(record("c1")))
    ((file,), _) = files_at("memory://logs/a.jsonl", lambda name: True)
    with pytest.raises(RuntimeError), file.at_hand(home.tmp) as path:
        assert path.is_relative_to(home.tmp) and path.read_bytes() == store.cat("/logs/a.jsonl")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        raise RuntimeError
    assert list(home.tmp.iterdir()) == []


def test_what_a_killed_ingest_had_fetched_is_gone_after_the_next(store: Any, home: Home) -> None:
    store.pipe("/logs/a.jsonl", lines(record("c1")))
    ((file,), _) = files_at("memory://logs/a.jsonl", lambda name: True)
    killed = file.at_hand(home.tmp)
    killed.__enter__()
    assert list(home.tmp.iterdir()) != []
    ingest(home, ["memory://logs/a.jsonl"], now=NOW)
    assert list(home.tmp.iterdir()) == []


def test_a_refused_record_tells_the_address_that_it_came_from(store: Any, home: Home) -> None:
    store.pipe("/logs/a.jsonl", b"{broken\n")
    ingest(home, ["memory://logs/a.jsonl"], now=NOW)
    (refused,) = [orjson.loads(one) for file in home.quarantine.glob("*/*") for one in file.read_bytes().splitlines()]
    assert (refused["file"], refused["line"]) == ("memory://logs/a.jsonl", 1)


def test_an_export_keeps_its_person_although_that_is_in_another_file(store: Any, home: Home) -> None:
    """Without it all conversations would count as nobody's, and nothing could be published."""
    store.pipe("/mine/conversations.json", (FIXTURES / "chatgpt-export.json").read_bytes())
    store.pipe("/mine/user.json", b'{"id": "user-1"}')
    report = ingest(home, ["memory://mine/conversations.json"], now=NOW)
    assert report.accepted > 0 and report.without_user_id == 0


def test_an_address_of_this_machine_is_a_path(home: Home, tmp_path: Path) -> None:
    (tmp_path / "my logs.jsonl").write_bytes(lines(record("c1")))
    assert ingest(home, [(tmp_path / "my logs.jsonl").as_uri()], now=NOW).accepted == 1
    with pytest.raises(PlaceError, match="three strokes"):
        ingest(home, ["file://logs/a.jsonl"], now=NOW)


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("s3://bucket/logs", "pip install s3fs"),
        ("gs://bucket/logs", "pip install gcsfs"),
        ("abfs://container/logs", "pip install adlfs"),
        ("ftp://host/logs", "this version reads"),
        ("simplecache::memory://logs", "this version reads"),
        ("memory://nowhere/at/all.jsonl", "no such file"),
    ],
)
def test_an_address_that_cannot_be_read_says_what_to_do(store: Any, home: Home, address: str, cause: str) -> None:
    with pytest.raises(ConfideError, match=cause):
        ingest(home, [address], now=NOW)


def test_no_credential_of_an_address_is_ever_shown() -> None:
    """They would stand in the quarantine, and in the terminal's history of whoever helps."""
    assert shown("https://me:secret@host/logs.jsonl?sig=secret#x") == "https://host/logs.jsonl"
    with pytest.raises(PlaceError) as caught:
        files_at("ftp://me:secret@host/logs?sig=secret", lambda name: True)
    assert "secret" not in str(caught.value)


def test_a_store_that_fails_midway_lands_nothing_and_says_so_in_our_words(
    store: Any, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a bucket must not pass for the whole."""

    class Failing(fsspec.filesystem("memory").__class__):  # type: ignore[misc]
        protocol = "smb"
        cachable = False

        def _open(self, path: str, *rest: Any, **options: Any) -> Any:
            if path.endswith("b.jsonl"):
                raise ConnectionResetError("signed?token=secret")
            return super()._open(path, *rest, **options)

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(super()._strip_protocol(path.replace("smb://", "memory://")))

    store.pipe("/logs/a.jsonl", lines(record("c1")))
    store.pipe("/logs/b.jsonl", lines(record("c2")))
    monkeypatch.setitem(importlib.import_module("fsspec.registry")._registry, "smb", Failing)
    with pytest.raises(PlaceError, match=r"smb://logs/b\.jsonl: cannot be read \(ConnectionResetError\)") as caught:
        ingest(home, ["smb://logs"], now=NOW)
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None
    assert landed(home) == {} and list(home.tmp.iterdir()) == []


def test_every_place_is_one_that_fsspec_knows() -> None:
    assert [place for place in PLACES if place not in fsspec.available_protocols()] == []
    assert is_address("s3://b/k") and not is_address("/data/logs.jsonl") and not is_address("C:/logs")
