"""Docs that name a command, file, setting, message or column which is not there cost every reader's trust."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from dagster_project.cli.main import app
from dagster_project.domain.tables import TABLES
from dagster_project.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "deploy" / "README.md",
    *sorted(p for p in (ROOT / "docs").rglob("*.md")),
]
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
GUIDES = [p for p in PAGES if p.parent.name != "decisions"]
guide = pytest.mark.parametrize("page", GUIDES, ids=lambda p: str(p.relative_to(ROOT)))
"""Pages that tell readers what to type; decisions speak of other programs' options too."""

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s`]|bin/)confide(?: --home \S+)? ([a-z]+(?:-[a-z]+)*)([^`#&|;\n]*)", re.MULTILINE)


def spans(page: Path) -> list[str]:
    """What stands in code within the text."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", page.read_text(encoding="utf-8")))


def shell(page: Path) -> str:
    """What a reader would type: blocks without a language, and code within the text, a line each."""
    blocks = [body for language, body in FENCE.findall(page.read_text(encoding="utf-8")) if not language]
    return "\n".join([*blocks, *spans(page)])


def options(command: Any) -> set[str]:
    return {"--help"} | {o for p in command.params for o in (*p.opts, *p.secondary_opts)}


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    plain = re.sub(r"[`*\[\]]|\(.*?\)(?=$)", "", heading).strip().lower()
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", plain))


@page
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", FENCE.sub("", file.read_text(encoding="utf-8")), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page.name} links to {target}#{anchor}"


@page
def test_every_command_named_exists_and_takes_the_options_named(page: Path) -> None:
    for name, words in COMMAND.findall(shell(page)):
        assert name in COMMANDS, f"{page.name}: confide {name}"
        command, said = COMMANDS[name], words.split()
        while hasattr(command, "commands") and said:
            assert said[0] in command.commands, f"{page.name}: confide {name} {said[0]}"
            command = command.commands[said.pop(0)]
        named = {word.split("=")[0] for word in said if word.startswith("--")}
        assert named <= options(command), f"{page.name}: confide {name} {words}"


def _all_options() -> Iterator[str]:
    stack = [get_command(app), *COMMANDS.values()]
    while stack:
        command = stack.pop()
        stack += getattr(command, "commands", {}).values()
        yield from options(command)


@guide
def test_every_option_named_by_itself_exists(page: Path) -> None:
    known = set(_all_options())
    named = {span.split()[0].split("=")[0] for span in spans(page) if span.startswith("--")}
    assert named <= known


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _keys(part)


SECTIONS = {name: set(_keys(field.annotation)) for name, field in Settings.model_fields.items()}  # type: ignore[arg-type]
OTHER_VARIABLES = {"CONFIDE_HOME", "CONFIDE_AUDIT", "CONFIDE_AUDIT_SEED", "CONFIDE_AUDIT_HOMES"}


@page
def test_every_setting_named_exists(page: Path) -> None:
    """A misspelt setting is an error for who copies it."""
    text = page.read_text(encoding="utf-8")
    for block in (body for language, body in FENCE.findall(text) if language == "toml"):
        for section, keys in tomllib.loads(block).items():
            assert section in SECTIONS and set(keys) <= SECTIONS[section], f"{page.name}: [{section}] {sorted(keys)}"
    for section, key in re.findall(r"`\[([a-z_]+)(?:\.|\][ .])([a-z_]+)", text):
        assert section in SECTIONS and key in SECTIONS[section], f"{page.name}: [{section}] {key}"
    everything = set().union(*SECTIONS.values())
    alone = [m.group(1) for span in spans(page) if (m := re.match(r"([a-z_]+) = ", span))]
    assert [key for key in alone if key not in everything] == []
    for name in re.findall(r"\bCONFIDE_[A-Z_]*[A-Z]\b(?![<{])", text):
        section, _, key = name.removeprefix("CONFIDE_").lower().partition("__")
        exists = section in SECTIONS and key.split("__")[0] in SECTIONS[section]
        assert name in OTHER_VARIABLES or exists, f"{page.name}: {name}"


@cache
def literals() -> list[str]:
    """Every text of the program, with … where a value goes."""
    found = []
    for file in sorted((ROOT / "dagster_project").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values))  # type: ignore[misc]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def is_said(message: str) -> bool:
    """Whether the program has a text with the words of a message, in order, around the places of values."""
    pattern = ".*".join(re.escape(part.strip()) for part in message.split("…") if part.strip())
    return any(re.search(pattern, text, re.DOTALL) for text in literals())


@pytest.mark.parametrize("name", ["operators.md", "runbook.md"])
def test_every_message_quoted_is_one_that_the_program_gives(name: str) -> None:
    """Who looks a failure up must find it by its own words."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    tables = re.findall(r"^\| message \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    quoted = [row.split("`")[1] for table in tables for row in table.splitlines()]
    assert len(quoted) >= 9
    assert [message for message in quoted if not is_said(message)] == []


def test_a_message_that_nobody_gives_is_noticed() -> None:
    assert is_said("the gate refused … expectation(s), nothing was published: …")
    assert not is_said("the gate refused … expectation(s), everything was published: …")


@page
def test_every_file_of_a_home_that_is_named_exists(page: Path) -> None:
    everything = "\n".join(literals())
    for span in spans(page):
        if re.match(r"(private|landing|quarantine|warehouse|publications|dagster)/[\w./-]+$", span):
            missing = [part for part in span.strip("/").split("/") if part not in everything]
            assert missing == [], f"{page.name}: {span}"


@page
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [t for t in named if t not in targets] == []


@page
def test_every_path_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    tops = ("dagster_project", "dbt", "expectations", "tests", "training", "benchmarks", "docs", "deploy")
    named = re.findall(rf"`((?:{'|'.join(tops)})/[\w./-]+)`", text)
    assert [p for p in named if not (ROOT / p).exists()] == []
    inside = re.findall(
        r"`((?:domain|storage|sources|assets|policy|codebook|classifiers|report|topics)/[\w./-]*)`", text
    )
    assert [p for p in inside if not (ROOT / "dagster_project" / p).exists()] == []


ADVISED_AGAINST = r"committ?(?:ed|ing)?[ -]suicide|(?:un)?successful suicide|failed suicide|suicide epidemic"
TOLD = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "dagster_project").rglob("*.j2"))]
TOLD += sorted((ROOT / "dagster_project" / "codebook" / "facets").glob("*.yaml"))


@pytest.mark.parametrize("file", TOLD, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_is_read_uses_words_that_guidelines_advise_against(file: Path) -> None:
    """Words of blame or of success about a death hurt those who are left, and endanger those at risk."""
    assert not re.search(ADVISED_AGAINST, file.read_text(encoding="utf-8"), re.IGNORECASE)


@page
def test_every_test_named_exists(page: Path) -> None:
    """A promise that says which test shows it must not outlive the test."""
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8")):
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"


def test_the_privacy_page_shows_each_channel_by_a_test() -> None:
    text = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    rows = text.split("## Channels")[1].split("\n## ")[0].splitlines()[4:]
    channels = [row for row in rows if row.startswith("|")]
    assert len(channels) > 12 and [row for row in channels if "::test_" not in row] == []


def test_the_analysts_page_names_every_published_table() -> None:
    text = (ROOT / "docs" / "analysts.md").read_text(encoding="utf-8")
    assert [t for t in TABLES if f"`{t}`" not in text] == []


def test_every_decision_that_the_policy_cites_is_written() -> None:
    from dagster_project.policy.loader import POLICY_FILE

    cited = set(re.findall(r"decision: ([a-z0-9-]+)", POLICY_FILE.read_text()))
    written = {p.stem.split("-", 1)[1] for p in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert cited and cited <= written
