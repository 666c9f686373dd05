"""Other embedders of topics: over HTTP, by sentence-transformers, and of what the labeller described."""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from dagster_project.classifiers.cache import VectorCache
from dagster_project.home import Home
from dagster_project.labelling import conversations_of_day
from dagster_project.setting_up import create_home
from dagster_project.settings import SettingsError
from dagster_project.state import examine
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.topics.embedders import KEY, EmbedderError, HttpEmbedder, SentenceTransformers
from dagster_project.topics.period_topics import build_period_topics
from dagster_project.topics.reading import embed_windows, embedded_windows
from dagster_project.topics.working import described_by, topic_work
from dagster_project.workspace import Workspace
from tests.support.topic_lake import PERIOD, Said, crowd, embed_by_theme, lake_of, work_of

SECRET = "zyzzyva said so"


class Server(ThreadingHTTPServer):
    """A real server on this machine. plan: what the next requests get instead of vectors; asked: what it was sent."""

    def __init__(self) -> None:
        self.plan: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Answering)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append({"path": self.path, **body})
        self.server.keys.append(self.headers.get("authorization"))
        vectors = embed_by_theme(body["input"]) * 3  # not of unit length
        rows = [{"index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
        good = 200, {}, json.dumps({"data": rows[::-1]}).encode()
        status, headers, said = self.server.plan.pop(0) if self.server.plan else good
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(said))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def http(server: Server, waited: list[float] | None = None) -> HttpEmbedder:
    return HttpEmbedder(server.url, "some-model", (waited if waited is not None else []).append)


def test_vectors_come_back_in_the_order_asked_and_nothing_is_sent_twice(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may answer in any order: a person's conversation would be of a stranger's topic."""
    monkeypatch.setenv(KEY, "k3y")
    texts = [f"insomnia {i}" for i in range(100)] + ["exam", "exam \ud800"]
    cache = VectorCache(http(server), tmp_path / "vectors.sqlite", ascii)
    found = cache.embed(texts)
    wanted = embed_by_theme(texts)
    assert np.allclose(found, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-3)
    assert [len(one["input"]) for one in server.asked] == [64, 38] and server.keys == ["Bearer k3y"] * 2
    assert {(one["path"], one["model"]) for one in server.asked} == {("/v1/embeddings", "some-model")}
    assert cache.embed(texts).tobytes() == found.tobytes() and len(server.asked) == 2


def test_a_busy_server_is_waited_for_as_long_as_it_asks_and_one_that_refuses_is_named(server: Server) -> None:
    waited: list[float] = []
    server.plan = [(429, {"retry-after": "7"}, b""), (503, {}, b"")]
    assert http(server, waited).embed(["exam"]).shape == (1, 384)
    assert waited == [7.0, 2.0]
    for status in (401, 302, 404):
        server.plan = [(status, {"location": f"{server.url}/elsewhere"}, SECRET.encode())]
        before = len(server.asked)
        with pytest.raises(EmbedderError, match=f"127.0.0.1.* answered {status}") as told:
            http(server).embed([SECRET])
        assert len(server.asked) == before + 1, "no second try, and no redirect is followed: text would go elsewhere"
        assert SECRET not in str(told.value) and told.value.__cause__ is None
    server.plan = [(500, {}, b"")] * 4
    with pytest.raises(EmbedderError, match="answered 500"):
        http(server).embed(["exam"])
    server.server_close()
    with pytest.raises(EmbedderError, match="did not answer"):
        HttpEmbedder("http://127.0.0.1:9/v1", "m", lambda _: None).embed(["exam"])


@pytest.mark.parametrize(
    "said",
    [
        b"<html>",
        b"{}",
        b'{"data": []}',
        b'{"data": [{"index": 0, "embedding": [1, NaN]}]}',
        b'{"data": [{"index": 0, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": "zyzzyva said so"}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1]}]}',
        b"[" * 100_000,
    ],
)
def test_a_reply_that_is_no_list_of_vectors_is_an_error_that_quotes_nothing(server: Server, said: bytes) -> None:
    server.plan = [(200, {}, said)]
    with pytest.raises(EmbedderError, match="no list of vectors") as told:
        http(server).embed([SECRET])
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://models.example.org/v1", "https"),
        ("http://localhost.example.org/v1", "https"),
        ("http://127.0.0.1.example.org/v1", "https"),
        ("https://somebody:s3cret@models.example.org/v1", "EMBEDDINGS_API_KEY"),
        ("ftp://models.example.org/v1", "no address"),
        ("models.example.org", "no address"),
    ],
)
def test_text_is_never_sent_unencrypted_to_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    """Whoever is on the way would read what people brought."""
    home = Home(tmp_path / "home")
    create_home(home)
    for key, value in {"EMBEDDER": "http", "EMBEDDER_URL": url, "EMBEDDER_MODEL": "m"}.items():
        monkeypatch.setenv(f"CONFIDE_TOPICS__{key}", value)
    with pytest.raises(SettingsError, match=told) as error:
        Workspace.open(home.root)
    assert "s3cret" not in str(error.value)


def test_a_home_finds_its_topics_with_the_server_it_names_and_doctor_says_what_leaves(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {"EMBEDDER": "http", "EMBEDDER_URL": server.url, "EMBEDDER_MODEL": "m"}.items():
        monkeypatch.setenv(f"CONFIDE_TOPICS__{key}", value)
    home = Home(tmp_path / "home")
    create_home(home)
    lake_of(home.root, crowd("career", 120, each=1) + crowd("sleep", 120, each=1))
    work = topic_work(Workspace.open(home.root))
    assert work.embedded.startswith("http-127.0.0.1:") and work.described is None
    built = build_period_topics(work, PERIOD)
    assert built.figures["coaching"]["n_topics"] == 2
    sent = sum(len(one["input"]) for one in server.asked)
    assert sent == 240, "each once"
    build_period_topics(topic_work(Workspace.open(home.root)), PERIOD)
    assert sum(len(one["input"]) for one in server.asked) == sent
    (finding,) = [f for f in examine(home) if f.what == "embedder of topics"]
    assert finding.ok and "people's words are sent to 127.0.0.1" in finding.hint


STUB = """
import numpy as np


class SentenceTransformer:
    '''A stub for the test: not sentence-transformers, no model. Vectors are counts of letters.'''

    def __init__(self, model):
        if model == "missing":
            raise OSError("no such model, and here is a text: zyzzyva said so")

    def get_sentence_embedding_dimension(self):
        return 26

    def encode(self, texts, batch_size, convert_to_numpy, show_progress_bar):
        assert batch_size == 1 and convert_to_numpy and not show_progress_bar
        return np.array([[1.0 + t.count(chr(97 + i)) for i in range(26)] for t in texts])
"""


def test_a_model_of_sentence_transformers_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbedderError, match=r"pip install 'confide\[sentence-transformers\]'"):
        SentenceTransformers("all-mpnet-base-v2")
    (tmp_path / "sentence_transformers.py").write_text(STUB)
    monkeypatch.syspath_prepend(str(tmp_path))
    embedder = SentenceTransformers("all-mpnet-base-v2")
    made = embedder.embed(["abba", "zebra"])
    assert made.shape == (2, 26) == (2, embedder.dimension) and embedder.embed([]).shape == (0, 26)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-3)
    with pytest.raises(EmbedderError, match="OSError") as told:
        SentenceTransformers("missing").embed(["abba"])
    assert SECRET not in str(told.value)
    monkeypatch.delitem(__import__("sys").modules, "sentence_transformers")


def described(lake: Lake, days: Sequence[date], line: dict[str, str]) -> None:
    """Descriptions as the detail stage writes them. line: by conversation key."""
    at = datetime(2026, 10, 5, tzinfo=UTC)
    for day in days:
        keys = lake.read("conversations", day)["conversation_key"].to_list()
        rows = [(key, "topic_description", 1, line[key], "claude-x", "p1", at) for key in keys if key in line]
        lake.write("descriptions", day, pl.DataFrame(rows, schema=TABLES["descriptions"], orient="row"))


def test_what_the_labeller_described_is_what_topics_are_made_of_and_it_is_erased_with_its_conversation(
    tmp_path: Path,
) -> None:
    """People rarely say what they bring in one breath; the line does. Its vector must go when they are forgotten."""
    lines = {one.key: one.texts[0] for theme in ("marriage", "study") for one in crowd(theme, 110, each=1)}
    said = [
        Said(f"u{n}", [crowd(("career", "sleep")[n % 2], 1, each=1, seed=n)[0].texts[0]], key=key)
        for n, key in enumerate(lines)
    ]
    work = work_of(tmp_path / "home", said)
    days = sorted({one.day for one in said})
    described(work.lake, days, {key: line for key, line in lines.items() if key != said[0].key})
    cache = VectorCache(type("ByTheme", (), {"name": "t", "dimension": 384, "embed": staticmethod(embed_by_theme)})(), tmp_path / "v.sqlite", str)  # fmt: skip
    by_line = replace(work, described=described_by(cache), embedded="t/descriptions")
    built = build_period_topics(by_line, PERIOD)
    topic = dict(built.assignments.select("conversation_key", "topic_id").iter_rows())
    split = [{topic[key] for key in list(lines)[half]} for half in (slice(1, 110), slice(110, 220))]
    assert all(len(one) == 1 for one in split) and split[0] != split[1], "by the lines, not by the words"
    assert cache.misses == len(said) - 1, "one has no line: its words serve"
    build_period_topics(by_line, PERIOD)
    assert cache.misses == len(said) - 1
    (keyed,) = [
        c for day in days for c in conversations_of_day(work.lake, day) if c.conversation.conversation_id == said[1].key
    ]
    assert cache.delete([keyed.content_hash]) == 1, "kept under the content, as erasing asks for it"


def test_a_version_of_another_embedder_sorts_nothing(tmp_path: Path) -> None:
    """Vectors of two embedders have nothing in common: every conversation would lie in some topic by chance."""
    work = replace(work_of(tmp_path, crowd("career", 120) + crowd("sleep", 120)), embedded="one")
    first = build_period_topics(work, PERIOD)
    other = replace(work, embed=lambda texts: embed_by_theme(texts)[:, :50], embedded="two")
    second = build_period_topics(other, PERIOD)
    assert second.figures["coaching"]["fitted_now"] == 1 and second.figures["coaching"]["n_topics"] == 2
    assert build_period_topics(other, PERIOD).figures["coaching"]["fitted_now"] == 0
    assert second.assignments.height == first.assignments.height


def test_what_comes_late_in_a_long_conversation_is_read_too() -> None:
    """Somebody who talks of the weather first would be of the topic of all who do."""
    chat = " ".join(["lately we had some trouble with it at home and outside"] * 12)
    late = embedded_windows([chat, "insomnia bedroom midnight pillow " * 12])
    assert len(late) == 2 and late[0] == chat[:400]
    (vector,) = embed_windows(embed_by_theme, [late])
    assert vector[1] > 5 * abs(np.delete(vector, 1)).max()
    many = embedded_windows([f"{i:04d} and so on " * 40 for i in range(40)])
    assert len(many) == 4 and len(set(many)) == 4, "however long it is"
    assert embedded_windows(["short", "words"]) == ("short words",)
    assert embedded_windows(["x" * 430]) == ("x" * 400,), "a few letters left over are no window"
    assert embedded_windows([" ", ""]) == ()
