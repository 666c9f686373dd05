"""Labelling end to end on a Messages API that is not ours: llama.cpp with a tiny model, held to the schema.

What it says is worth nothing; that its replies are asked for, read, and kept as labels is what another server shows.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.classifiers.claude.prompt import Ask
from dagster_project.codebook.loader import shipped_codebook
from tests.support.homes import confide, done
from tests.support.llama_server import Llama, llama_server

pytestmark = pytest.mark.long

SCREEN = ("content_creation", "affective_type")
TALKS = {
    "one": "My sister and I keep arguing. How do I talk to her?",
    "two": "Write a poem about a lighthouse.",
}


@pytest.fixture(scope="module")
def llama() -> Iterator[Llama]:
    ask = Ask(tuple(shipped_codebook()[facet] for facet in SCREEN))
    with llama_server(ask.schema) as running:
        yield running


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    file = tmp_path / "talks.jsonl"
    rows = [{"conversation_id": i, "messages": [{"role": "user", "content": text}]} for i, text in TALKS.items()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def environment(llama: Llama, **more: str) -> dict[str, str]:
    return {
        **llama.environment,
        "CONFIDE_CLAUDE__SCREEN_MODEL": "smollm2",
        "CONFIDE_CLAUDE__PRICES": '{"smollm2": {"input": 0.0, "output": 0.0}}',
        "CONFIDE_CLAUDE__MAX_CONCURRENCY": "1",
        "NO_PROXY": "127.0.0.1",
        **more,
    }


def test_every_conversation_gets_labels_of_the_codebook(llama: Llama, talks: Path) -> None:
    said = done(
        confide(None, "classify", talks, "--classifier", "claude", "--facets", ",".join(SCREEN), env=environment(llama))
    )
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["conversation_id"] for row in rows] == list(TALKS)
    types = set(shipped_codebook()["affective_type"].category_ids)
    for row in rows:
        assert set(row["labels"]) == set(SCREEN)
        assert row["labels"]["content_creation"] in (True, False, None)
        assert row["labels"]["affective_type"] is None or set(row["labels"]["affective_type"]) <= types


def test_a_server_without_batches_is_told_in_one_line(llama: Llama, talks: Path) -> None:
    env = environment(llama, CONFIDE_CLAUDE__TRANSPORT="batch")
    said = confide(None, "classify", talks, "--classifier", "claude", "--facets", ",".join(SCREEN), env=env)
    assert said.code == 1 and said.out == ""
    assert "no Message Batches" in said.err and 'transport = "live"' in said.err
