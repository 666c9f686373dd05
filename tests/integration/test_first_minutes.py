"""Somebody's first minutes: what they choose is what they get, and where they are stuck they are told the next step."""

import os
import pty
import stat
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from dagster_project.cli.demonstration import open_in_browser
from dagster_project.home import Home
from dagster_project.intake import ingest
from dagster_project.setting_up import chosen_settings
from dagster_project.settings import TEMPLATE, read_settings
from dagster_project.state import examine
from tests.support.conversations import NOW, record, write_lines
from tests.support.homes import confide, done


def test_what_is_chosen_by_flags_is_what_the_settings_say(tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = done(confide(home, "init", "--classifier", "claude", "--period", "month", "--inbox"))
    settings = read_settings(home / "confide.toml")
    assert (settings.classifier.kind, settings.release.period, settings.inbox.enabled) == ("claude", "month", True)
    assert "ANTHROPIC_API_KEY" in said.out and "ingest PATH" in said.out
    assert stat.S_IMODE((home / "inbox").stat().st_mode) == 0o700
    before = (home / "confide.toml").read_bytes()
    again = confide(home, "init", "--period", "day")
    assert again.code == 1 and "release.period" in again.err and "by hand" in again.err
    assert done(confide(home, "init")) and (home / "confide.toml").read_bytes() == before
    assert confide(home, "init", "--period", "fortnight").code == 2


def test_nothing_is_asked_where_nobody_can_answer(tmp_path: Path) -> None:
    """A script that makes a home would hang for ever."""
    home = tmp_path / "home"
    said = done(confide(home, "init"))
    assert "?" not in said.out
    assert (home / "confide.toml").read_text() == TEMPLATE == chosen_settings({})


def test_on_a_terminal_what_was_not_said_is_asked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dagster_project.cli.main", "--home", str(home), "init", "--classifier", "local"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, b"fortnight\nday\ny\n")
        assert process.wait(120) == 0
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "Period" in said and "Watch a folder" in said and "Classifier" not in said
    settings = read_settings(home / "confide.toml")
    assert (settings.classifier.kind, settings.release.period, settings.inbox.enabled) == ("local", "day", True)


def test_a_shell_completes_commands_and_options() -> None:
    command = [sys.executable, "-c", "from dagster_project.cli.main import app; app(prog_name='confide')"]

    def completed(words: str, n: int) -> list[str]:
        asked = {"_CONFIDE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(n)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **asked})
        return done.stdout.split()

    assert completed("confide in", 1) == ["init", "ingest"]
    assert completed("confide init --period ", 3) == ["day", "week", "month"]


def test_a_new_home_is_well_and_says_what_comes_next(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done(confide(home, "init"))
    said = done(confide(home, "doctor"))
    assert "ingest PATH" in said.out and "mend" not in said.out


def test_who_erases_by_age_without_an_age_is_told_so(tmp_path: Path) -> None:
    """Prevents a line of cron from erasing nothing for years, and saying that all is well."""
    home = tmp_path / "home"
    done(confide(home, "init"))
    assert "[retention] days is not set" in done(confide(home, "erase", "--expired")).err
    (home / "confide.toml").write_text("[retention]\ndays = 365\n")
    assert done(confide(home, "erase", "--expired")).err == ""


def test_doctor_tells_who_asks_claude_of_a_key_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents it from being learnt in the night, from a run that failed."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    done(confide(home, "init", "--classifier", "claude"))
    (finding,) = [f for f in examine(Home(home)) if f.what == "key of the API"]
    assert finding.ok and "ANTHROPIC_API_KEY" in finding.hint
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    assert [f for f in examine(Home(home)) if f.what == "key of the API"] == []


def test_a_format_that_is_misnamed_for_the_inbox_is_found_before_a_file_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    done(confide(home, "init", "--inbox"))
    monkeypatch.setenv("CONFIDE_INBOX__FORMAT", "chatpgt-export")
    (finding,) = [f for f in examine(Home(home)) if f.what == "inbox"]
    assert not finding.ok and "chatgpt-export" in finding.advice


def test_an_ingest_that_read_nothing_says_why(tmp_path: Path) -> None:
    """Zeros all over look like an empty day."""
    home, folder = tmp_path / "home", tmp_path / "logs"
    done(confide(home, "init"))
    folder.mkdir()
    (folder / "logs.xlsx").write_bytes(b"a table")
    (warning,) = ingest(Home(home), [folder], now=NOW).warnings
    assert "no file was read (1 of other kinds)" in warning and ".jsonl" in warning
    strange = tmp_path / "strange.jsonl"
    write_lines(strange, [{"speaker": "a", "said": "b"}])
    (warning,) = ingest(Home(home), [strange], now=NOW).warnings
    assert "docs/formats.md" in warning and "--format" in warning
    assert ingest(Home(home), [write_lines(tmp_path / "sound.jsonl", [record("c1")])], now=NOW).warnings == []


class Browser(webbrowser.BaseBrowser):
    """One that is there, or is not, and remembers what it was shown."""

    def __init__(self, there: bool) -> None:
        super().__init__()
        self.there = there
        self.shown: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.shown.append(url)
        return self.there


@pytest.mark.parametrize("there", [True, False])
def test_the_demos_report_is_shown_or_its_place_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    browser: Any = Browser(there)
    monkeypatch.setattr(webbrowser, "_tryorder", ["ours"])
    monkeypatch.setattr(webbrowser, "_browsers", {"ours": [None, browser]})
    open_in_browser(tmp_path / "a report.html")
    assert browser.shown == [(tmp_path / "a report.html").as_uri()]
    assert ("There is no browser here" in capsys.readouterr().out) is not there
