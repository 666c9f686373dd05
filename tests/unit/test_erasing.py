"""What erasing stands on: every text that was embedded is known again, locks hold, what is noted is never lost."""

import random
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from dagster_project.classifiers.local.classifier import LocalClassifier
from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.codebook.loader import load_codebook
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.erasing.command import erase_asked
from dagster_project.erasing.traces import embedded_texts
from dagster_project.errors import ConfideError
from dagster_project.storage.in_use import HomeBusyError, alone, in_use
from dagster_project.storage.ingest_index import Entry, IngestIndex, compact
from dagster_project.storage.tombstones import Erased, Tombstones
from dagster_project.workspace import Workspace
from tests.support.conversations import new_home
from tests.support.erasable import empty_home


class Recorder:
    """Stands in for the embedder and remembers what it was asked."""

    name = MiniLM().name
    dimension = 384

    def __init__(self) -> None:
        self.texts: set[str] = set()

    def embed(self, texts: list[str]) -> np.ndarray:
        self.texts.update(texts)
        return np.full((len(texts), 384), 0.05, dtype=np.float32)


def talk(rng: random.Random, i: int) -> Conversation:
    def words(n: int) -> str:
        some = [
            "I feel sad",
            "I can't help with that, sorry",
            "my plan",
            "\n\n",
            "  ",
            "über",
            "why?",
            "no 🙂",
            "keep on",
        ]
        return " ".join(rng.choice(some) for _ in range(n))

    sizes = [0, 1, 3, 20, 90, 400]
    roles = [Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.TOOL]
    messages = [Message(rng.choice(roles), words(rng.choice(sizes)), None) for _ in range(rng.randint(1, 16))]
    return Conversation(
        f"c{i}", "u", datetime(2026, 10, 5, tzinfo=UTC), (*messages, Message(Role.USER, words(5), None))
    )


def test_every_text_that_is_embedded_of_a_conversation_is_known_when_it_is_erased(tmp_path: Path) -> None:
    """A vector that erasing does not know of would stay for ever, and its text can be guessed from it."""
    from dagster_project.topics.reading import _windows, embedded_windows

    rng = random.Random(11)
    book = load_codebook()
    facets = [book[f] for f in ("content_creation", "affective_type", "pushback", "sentiment")]
    embedded = 0
    for i in range(40):
        conversation, recorder = talk(rng, i), Recorder()
        for scope in ("edges", "all"):
            list(LocalClassifier(sentiment_scope=scope, embedder=recorder).classify(facets, [conversation]))
        assert recorder.texts <= embedded_texts(conversation)
        embedded += len(recorder.texts)
        human = [m.content for m in conversation.messages if m.role is Role.USER]
        assert embedded_windows(human) == _windows("\n".join(human)[:4000]) or max(map(len, human)) > 4000
        assert set(embedded_windows(human)) <= embedded_texts(conversation)
    assert embedded > 100


def test_topics_embed_the_text_that_erasing_expects(tmp_path: Path) -> None:
    from dagster_project.domain.periods import parse_period
    from dagster_project.topics.reading import read_analysed
    from tests.support.erasable import filled_home
    from tests.support.erased_person import everything

    home = filled_home(tmp_path / "home", everything(), ledger=False)
    lake = Workspace.open(home.root).lake
    day = date(2026, 10, 5)
    labels = lake.read("screen_labels", day)
    made = labels.with_columns(
        facet=np.array(["content_creation"] * labels.height), value=np.array([None] * labels.height)
    )
    lake.write("screen_labels", day, labels.extend(made.cast(labels.schema)))
    recorder = Recorder()
    found = read_analysed(lake, parse_period("2026-10-05"), recorder.embed, 5)
    assert len(found.keys) > 5
    from dagster_project.labelling import conversations_of_day

    known = {text for one in conversations_of_day(lake, day) for text in embedded_texts(one.conversation)}
    assert recorder.texts <= known


def test_those_who_use_a_home_share_it_and_whoever_is_alone_waits_for_them(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    with in_use(home), in_use(home, 0.0), pytest.raises(HomeBusyError, match="run or an ingest"), alone(home, 0.2):
        pass
    with alone(home, 0.0), pytest.raises(HomeBusyError, match="erasure or a key rotation"), in_use(home, 0.2):
        pass
    order = []

    def wait() -> None:
        with alone(home, 5.0):
            order.append("alone")

    with in_use(home):
        thread = threading.Thread(target=wait)
        thread.start()
        order.append("in use")
    thread.join()
    assert order == ["in use", "alone"]


def test_tombstones_of_several_processes_at_once_are_all_kept(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    threads = [
        threading.Thread(target=Tombstones(home).add, args=(Erased(frozenset({f"{i:032x}"})),)) for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Tombstones(home).read().users) == 20 == len(Tombstones(home).pending().users)
    Tombstones(home).settle(Erased(frozenset({f"{3:032x}"})))
    assert len(Tombstones(home).read().users) == 20 and len(Tombstones(home).pending().users) == 19


def test_the_day_of_erasing_by_age_only_moves_forward(tmp_path: Path) -> None:
    tombstones = Tombstones(new_home(tmp_path))
    for day in (date(2026, 9, 1), date(2026, 8, 1)):
        tombstones.add(Erased(before=day))
    assert tombstones.read().before == date(2026, 9, 1)
    tombstones.settle(Erased(before=date(2026, 8, 1)))
    assert tombstones.pending().before == date(2026, 9, 1), "an older, smaller erasure does not settle a later one"
    assert tombstones.read().covers_start(datetime(2026, 8, 31, 23, 59, 59, 999_999, UTC))
    assert not tombstones.read().covers_start(datetime(2026, 9, 1, tzinfo=UTC))


def test_no_byte_of_an_erased_entry_stays_in_the_index(tmp_path: Path) -> None:
    home, rng = new_home(tmp_path), random.Random(2)
    start = datetime(2026, 10, 5, tzinfo=UTC)
    entries = [
        Entry(rng.randbytes(16).hex(), rng.randbytes(16).hex(), start, 2, rng.randbytes(16).hex()) for _ in range(4000)
    ]
    with IngestIndex(home.ingest_index) as index:
        for entry in entries:
            index.judge(entry, lambda n: "")
        index.commit()
    gone = rng.sample(entries, 700)
    with IngestIndex(home.ingest_index) as index:
        index.mark(Erased(frozenset(e.user_key for e in gone[:300]), frozenset(e.conversation_key for e in gone[300:])))
        assert index.shared([gone[0].content_hash, entries[0].content_hash]) == {entries[0].content_hash} - {
            e.content_hash for e in gone
        }
        assert index.erase() == 700
        index.commit()
    compact(home.ingest_index)
    data = home.ingest_index.read_bytes()
    for entry in gone:
        assert bytes.fromhex(entry.conversation_key) not in data and entry.user_key.encode() not in data
        assert bytes.fromhex(entry.content_hash) not in data
    kept = set(entries) - set(gone)
    assert all(bytes.fromhex(entry.conversation_key) in data for entry in kept)


@pytest.mark.parametrize(
    ("users", "conversations"), [([""], []), ([], ["  "]), (["-"], []), (["-"], ["-"]), (["u1", ""], [])]
)
def test_an_empty_id_erases_nobody(tmp_path: Path, users: list[str], conversations: list[str]) -> None:
    """Everybody without an id is one person: an empty id must not mean them."""
    workspace = Workspace.open(empty_home(tmp_path / "home").root)
    with pytest.raises(ConfideError):
        erase_asked(workspace, users, conversations, [])
    assert not Tombstones(workspace.home).read()


def test_ids_may_come_from_standard_input_so_that_no_shell_keeps_them(tmp_path: Path) -> None:
    workspace = Workspace.open(empty_home(tmp_path / "home").root)
    erase_asked(workspace, ["-", "u3"], [], ["u1\n", "\n", "u2\r\n"])
    assert Tombstones(workspace.home).read().users == {workspace.pseudonyms.user(u) for u in ("u1", "u2", "u3")}
    erase_asked(workspace, [], ["c1"], [])
    assert Tombstones(workspace.home).read().conversations == {workspace.pseudonyms.conversation("c1")}
