"""Files of every format from the command line into landing: each day arrives, each refusal is counted, nothing leaks."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dagster_project.domain.conversations import Role
from dagster_project.home import Home
from dagster_project.intake import NO_USER_IDS, ingest
from dagster_project.sources.registry import names
from dagster_project.storage.landing import Landing
from tests.support.chat_formats import FORMS, ROWS_TABLE, Form, grown
from tests.support.conversations import NOW, new_home, record, turns, write_lines
from tests.support.homes import confide, done

FIXTURES = Path(__file__).parents[1] / "fixtures" / "formats"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = new_home(tmp_path / "home")
    made.settings_file.write_text(
        "[sources.table]\nconversation_id = 'chat'\nuser_id = 'customer'\nstarted_at = 'sent'\nsurface = 'channel'\n"
        "role = 'speaker'\ncontent = 'said'\n"
    )
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The fixtures of every format, a file of none and a broken one, in one folder."""
    shutil.copytree(FIXTURES, tmp_path / "logs")
    (tmp_path / "logs" / "what.jsonl").write_text('{"CANARY": 1}\n{"CANARY\n')
    return tmp_path / "logs"


def test_a_folder_of_mixed_formats_is_read_file_by_file(home: Home, folder: Path) -> None:
    said = done(confide(home.root, "ingest", str(folder), "--started-at", "2026-10-05", "--json")).json
    read_as: Counter[str] = Counter()
    for row in said["formats"]:
        read_as[row["format"]] += row["files"]
    assert read_as == Counter(names()[1:]) + Counter(openai=1, langfuse=1, confide=1)
    assert all(row["why"] for row in said["formats"])
    assert said["accepted"] == 20 and said["days"] == ["2026-10-05"]
    assert said["quarantined"] == {"invalid_json": 1, "missing_id": 1}
    assert said["left_out"] == {"inner_steps": 1, "joined_records": 5, "other_branches": 6}
    (day,) = Landing(home).days()
    conversations, messages = Landing(home).read_day(day)
    assert (conversations.height, messages.filter(messages["role"] == Role.USER.value).height) == (20, 28)
    again = done(confide(home.root, "ingest", str(folder), "--started-at", "2026-10-05", "--json")).json
    assert (again["accepted"], again["duplicates"]) == (0, 20)


def test_what_is_said_in_words_names_the_formats_and_no_file(home: Home, folder: Path) -> None:
    said = done(confide(home.root, "ingest", str(folder)))
    assert "Read as chatgpt-export: 1 file (a mapping of messages and their children)" in said.out
    assert "--started-at" in said.err
    assert "CANARY" not in said.out + said.err and "what.jsonl" not in said.out + said.err


def test_a_wrong_format_is_one_line_that_names_those_there_are(home: Home, folder: Path) -> None:
    said = confide(home.root, "ingest", str(folder), "--format", "whatsapp")
    assert said.code == 1 and "chatgpt-export" in said.err and "Traceback" not in said.err
    home.settings_file.write_text("")
    said = confide(home.root, "ingest", str(folder / "table.csv"), "--format", "table")
    assert said.code == 1 and "[sources.table]" in said.err


def test_a_mapping_that_cannot_be_is_refused_by_name(home: Home, folder: Path) -> None:
    home.settings_file.write_text("[sources.table]\nmessages = 'a'\nrole = 'b'\ncontent = 'c'\n")
    said = confide(home.root, "ingest", str(folder))
    assert said.code == 1 and "sources.table" in said.err


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_named_or_recognised_the_same_lands(form: Form, home: Home, tmp_path: Path) -> None:
    values = [record(f"c{i}", user_id=f"u{i}", messages=turns(f"hello {i}", "good morning")) for i in range(5)]
    path = form.write(tmp_path / f"logs{form.suffix}", values)
    named = ingest(home, [path], format=form.name, now=NOW, table=form.table)
    found = ingest(home, [path], now=NOW, table=form.table)
    assert (named.accepted, found.duplicates, found.quarantined) == (5, 5, {})
    assert [name for name, _ in found.formats] == [form.name]
    (day,) = Landing(home).days()
    assert Landing(home).read_day(day)[1]["content"].to_list().count("good morning") == 5


def test_logs_of_one_person_are_warned_about(home: Home, tmp_path: Path) -> None:
    report = ingest(home, [FIXTURES / "lmsys.jsonl"], now=NOW)
    assert report.quarantined == {"missing_time": 1}
    assert any("--started-at" in warning for warning in report.warnings)
    path = write_lines(tmp_path / "a.jsonl", [{"messages": turns("a"), "timestamp": "2026-10-05T08:00:00Z"}])
    assert NO_USER_IDS in ingest(home, [path], now=NOW).warnings


def test_a_conversation_that_has_grown_in_a_later_export_replaces_the_earlier(home: Home, tmp_path: Path) -> None:
    chatgpt = next(f for f in FORMS if f.name == "chatgpt-export")
    talk = turns("a", "b", "c", "d")
    early = chatgpt.write(tmp_path / "early.json", [record("c", messages=talk[:2])])
    late = chatgpt.write(tmp_path / "late.json", [record("c", messages=talk)])
    report = ingest(home, [early, late], now=NOW)
    assert (report.accepted, report.replaced, report.quarantined) == (1, 1, {})


@pytest.mark.parametrize("parts", [[0, 1], [1, 0]])
def test_a_thread_that_goes_on_in_the_next_days_log_is_one_conversation(
    home: Home, tmp_path: Path, parts: list[int]
) -> None:
    """Logs are cut at midnight, conversations are not."""
    entries = grown(record("c", messages=turns(*"abcdef")), minutes=600)
    files = [write_lines(tmp_path / "1.jsonl", entries[:2]), write_lines(tmp_path / "2.jsonl", entries[2:])]
    report = ingest(home, [files[i] for i in parts], now=NOW)
    (day,) = Landing(home).days()
    content = Landing(home).read_day(day)[1]["content"].to_list()
    if parts == [0, 1]:
        assert (report.accepted, report.replaced, report.quarantined) == (1, 1, {})
        assert (day.isoformat(), content) == ("2026-10-05", list("abcdef"))
    else:  # the later part came first: its start stands, and the earlier part is kept aside, not counted twice
        assert (report.accepted, report.quarantined, content) == (1, {"conflict": 1}, list("abcdef"))


def test_a_broken_row_of_an_erased_person_is_not_even_set_aside(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("chat,customer,sent,channel,speaker,said\nk,u-gone,2026-10-05,a,human,x\n")
    ingest(home, [tmp_path / "a.csv"], now=NOW, table=ROWS_TABLE)
    done(confide(home.root, "erase", "--user-id", "u-gone"))
    (tmp_path / "b.csv").write_text(
        "chat,customer,sent,channel,speaker,said\nk2,u-gone,2026-10-05,a,human,x,one too many\nk3,u-gone,never,a,human,x\n"
    )
    report = ingest(home, [tmp_path / "b.csv"], now=NOW, table=ROWS_TABLE)
    assert (report.erased, report.quarantined) == (2, {})


def test_whoever_was_erased_stays_out_in_every_format(home: Home, tmp_path: Path) -> None:
    """An export that is taken in again must not bring back who asked to be forgotten."""
    first = next(f for f in FORMS if f.name == "wildchat")
    values = [record("c1", user_id="u-gone"), record("c2", user_id="u-stays")]
    ingest(home, [first.write(tmp_path / "a.jsonl", values)], now=NOW)
    done(confide(home.root, "erase", "--user-id", "u-gone"))
    for form in FORMS:
        if form.name in ("chatgpt-export",):
            continue  # its owner stands in another file
        fresh = [{**v, "conversation_id": f"{form}-{v['conversation_id']}"} for v in values]
        report = ingest(home, [form.write(tmp_path / f"b{form.suffix}", fresh)], now=NOW, table=form.table)
        assert (report.erased, report.accepted) == (1, 1), form


def test_labels_for_an_export_without_any_home(tmp_path: Path) -> None:
    export = FIXTURES / "chatgpt-export.json"
    out = tmp_path / "labels.jsonl"
    done(confide(None, "classify", str(export), "--format", "auto", "--facets", "content_creation", "--out", str(out)))
    (row,) = [json.loads(text) for text in out.read_text().splitlines()]
    assert row["conversation_id"] == "6a6e7d1c-0001" and "content_creation" in row["labels"]
    timeless: dict[str, Any] = {"messages": turns("What is the capital of France?", "Paris")}
    path = write_lines(tmp_path / "tuning.jsonl", [timeless])
    done(confide(None, "classify", str(path), "--format", "openai", "--facets", "content_creation", "--out", str(out)))
    assert json.loads(out.read_text())["labels"]["content_creation"] in (True, False, None)
