"""`confide init`: what a home is to be like, by flags or, on a terminal, by asking.

Not here: making it (`setting_up.py`), what the settings mean (`settings.py`).
"""

import sys
from collections.abc import Mapping

import typer
from rich.prompt import Confirm, Prompt

from dagster_project.cli.console import OUT
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.inbox import folder_of
from dagster_project.setting_up import chosen_settings, create_home
from dagster_project.settings import read_settings

CLASSIFIER, PERIOD, INBOX = "classifier.kind", "release.period", "inbox.enabled"
PERIODS = ("day", "week", "month")


class SettingsKept(ConfideError):
    """The home has settings already, and they are not written over."""


def make_home(home: Home, classifier: str | None, period: str | None, inbox: bool | None) -> None:
    """Make a home with what was chosen; what was not is asked on a terminal, and else the default.

    Raises SettingsKept where there are settings that a choice would have to replace.
    """
    given = {CLASSIFIER: classifier, PERIOD: period, INBOX: inbox}
    chosen = {name: _toml(value) for name, value in given.items() if value is not None}
    if home.settings_file.exists():
        if chosen:
            raise SettingsKept(
                f"{home.settings_file} is there already and is kept: change {', '.join(sorted(chosen))} in it by hand"
            )
    elif sys.stdin.isatty() and sys.stdout.isatty():
        try:
            chosen |= {name: _toml(value) for name, value in _asked(given).items()}
        except EOFError:
            raise typer.Abort from None
    create_home(home, chosen_settings(chosen))
    command = f"confide --home {home.root}"
    OUT.print(f"Home at {home.root}. Next: {command} ingest PATH", soft_wrap=True, markup=False)
    OUT.print(
        "   Each conversation needs a user id (a pseudonym will do), or nothing can be published.", soft_wrap=True
    )
    if chosen.get(CLASSIFIER) == _toml("claude"):
        OUT.print(
            f"   Then set ANTHROPIC_API_KEY; what labelling costs: {command} estimate", soft_wrap=True, markup=False
        )
    if chosen.get(INBOX) == _toml(True):
        inbox_folder = folder_of(home, read_settings(home.settings_file))
        OUT.print(f"   Or put files into {inbox_folder} and start: {command} ui", soft_wrap=True, markup=False)


def _asked(given: Mapping[str, object]) -> dict[str, object]:
    answers: dict[str, object] = {}
    if given[CLASSIFIER] is None:
        OUT.print(
            "Who labels? local: a small model in the package, nothing leaves this machine; claude: better, by API."
        )
        answers[CLASSIFIER] = Prompt.ask("Classifier", choices=["local", "claude"], default="local", console=OUT)
    if given[PERIOD] is None:
        OUT.print("What is released: each day, week or month? A short period shows less of few people.")
        answers[PERIOD] = Prompt.ask("Period", choices=list(PERIODS), default="week", console=OUT)
    if given[INBOX] is None:
        answers[INBOX] = Confirm.ask("Watch a folder for new files?", default=False, console=OUT)
    return answers


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'
