"""The release ledger: a chain in which any change by hand is found, and an append is whole or absent."""

import json
from pathlib import Path

import pytest

from dagster_project.storage.release_ledger import FIRST, Ledger, ReleaseRefused
from tests.support.candidates import AT, WEEK

PERIOD = {
    "key": WEEK.key, "kind": "week", "start": WEEK.start.isoformat(), "end": WEEK.end.isoformat(), "revision": 0,
}  # fmt: skip


def chain(path: Path, releases: int = 2) -> Ledger:
    ledger = Ledger.read(path)
    for _ in range(releases):
        release_id = ledger.next_release_id(AT)
        ledger = ledger.append("intent", release_id, "0" * 64, [PERIOD], AT)
        ledger = ledger.append("visible", release_id, "0" * 64, [], AT)
    return ledger


def test_a_chain_reads_back_as_written(tmp_path: Path) -> None:
    ledger = chain(tmp_path / "ledger.jsonl")
    again = Ledger.read(tmp_path / "ledger.jsonl")
    assert again.entries == ledger.entries
    assert [e.previous for e in again.entries] == [FIRST, *(e.hash for e in again.entries[:-1])]
    assert [e.release_id[:5] for e in again.released] == ["r0001", "r0002"]
    assert again.released[0].published == [WEEK]
    assert (tmp_path / "ledger.jsonl").stat().st_mode & 0o077 == 0


def _alter(lines: list[str], how: str) -> list[str]:
    match how:
        case "field changed":
            return [lines[0].replace("2026-10-05", "2026-10-06"), *lines[1:]]
        case "line dropped":
            return [*lines[:1], *lines[2:]]
        case "first release dropped":
            return lines[2:]
        case "first line dropped":
            return lines[1:]
        case "lines swapped":
            return [lines[1], lines[0], *lines[2:]]
        case "line repeated":
            return [*lines, lines[-1]]
        case "line torn":
            return [*lines[:-1], lines[-1][:-20]]
        case "not json":
            return [*lines, "hello"]
        case "key added":
            return [json.dumps({**json.loads(lines[0]), "note": 1}), *lines[1:]]
        case "periods emptied":
            return [json.dumps({**json.loads(lines[0]), "periods": None}), *lines[1:]]
    raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    [
        "field changed",
        "line dropped",
        "first release dropped",
        "first line dropped",
        "lines swapped",
        "line repeated",
        "line torn",
        "not json",
        "key added",
        "periods emptied",
    ],
)
def test_any_alteration_is_found(tmp_path: Path, how: str) -> None:
    """Prevents a frozen period from being published again after its line was edited away."""
    path = tmp_path / "ledger.jsonl"
    chain(path)
    path.write_text("\n".join(_alter(path.read_text().splitlines(), how)) + "\n")
    with pytest.raises(ReleaseRefused, match="altered at line"):
        Ledger.read(path)


def test_a_ledger_that_ends_within_a_line_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    chain(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ReleaseRefused, match="altered"):
        Ledger.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ReleaseRefused, match="cannot be read"):
        Ledger.read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ReleaseRefused, match="cannot be read"):
        Ledger.read(path)


@pytest.mark.parametrize("kinds", [["visible"], ["intent", "intent"], ["intent", "void", "visible"], ["later"]])
def test_entries_that_cannot_follow_one_another_are_refused(tmp_path: Path, kinds: list[str]) -> None:
    """Prevents a voided release from being declared visible afterwards."""
    ledger = Ledger.read(tmp_path / "ledger.jsonl")
    with pytest.raises(ReleaseRefused):
        for kind in kinds:
            ledger = ledger.append(kind, "r0001-x", "0" * 64, [], AT)


def test_void_releases_keep_their_number(tmp_path: Path) -> None:
    """Prevents two releases with one id after a run was killed."""
    ledger = Ledger.read(tmp_path / "ledger.jsonl")
    first = ledger.next_release_id(AT)
    ledger = ledger.append("intent", first, "0" * 64, [PERIOD], AT)
    assert ledger.open_intent is not None
    ledger = ledger.append("void", first, "0" * 64, [], AT)
    assert ledger.open_intent is None
    assert ledger.released == []
    assert ledger.next_release_id(AT) == "r0002-20261121T120000Z"
