"""How commands speak: what a person is shown instead of JSON."""

import pytest
from typer.main import get_command

from dagster_project.cli.console import show
from dagster_project.cli.main import app


def test_each_table_of_a_release_stands_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents one unbroken list in which nobody finds how much of a table is withheld."""
    told = {"prevalence": {"published": 6, "withheld": 5}, "topics": {"published": 0, "withheld": None}}
    show({"release_id": "r0001", "tables": told, "current": None, "by_model": {}}, as_json=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "release id r0001",
        "tables prevalence: published: 6, withheld: 5",
        "topics: published: 0, withheld: –",
        "current –",
        "by model none",
    ]


def test_help_says_everything_that_it_was_written_with() -> None:
    """Prevents a setting's name in brackets from being taken for markup, and left out of what people read."""
    stack = [get_command(app)]
    while stack:
        command = stack.pop()
        stack += getattr(command, "commands", {}).values()
        texts = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)]
        assert [text for text in texts if "[" in text] == []
