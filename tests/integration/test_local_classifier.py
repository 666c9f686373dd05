"""The local classifier with its real weights and embedder: what it says, that it says it again, and what it endures."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from dagster_project.classifiers.local.classifier import CHUNK, LocalClassifier
from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.labels import Answer, Status

BOOK = shipped_codebook()
FACETS = [BOOK[f] for f in ("content_creation", "affective_type", "pushback", "sentiment")]


@pytest.fixture(scope="module")
def classifier() -> LocalClassifier:
    return LocalClassifier()


def chat(*messages: tuple[str, str]) -> Conversation:
    said = tuple(Message(Role(role), content) for role, content in messages)
    return Conversation("c", None, datetime(2026, 1, 1, tzinfo=UTC), said)


def said(*contents: str) -> Conversation:
    """A conversation in which person and assistant alternate."""
    return chat(*[("user" if i % 2 == 0 else "assistant", c) for i, c in enumerate(contents)])


def answers(
    classifier: LocalClassifier, conversation: Conversation, facets: Sequence[Facet] = FACETS
) -> dict[str, Answer]:
    (labelled,) = classifier.classify(facets, [conversation])
    return dict(labelled.answers)


@pytest.mark.parametrize(
    ("conversation", "expected"),
    [
        (
            said("My husband and I fight about money every weekend and I don't know how to talk to him about it."),
            {"interpersonal_advice"},
        ),
        (
            said("I feel so depressed, I cry all day, I can't sleep and I have panic attacks since my mother died."),
            {"psychotherapy_counseling"},
        ),
        (
            said(
                "I want to finally build a habit of writing each day and find out what I want from my career. Can you help me set a goal?"
            ),
            {"coaching"},
        ),
        (said("What is the boiling point of water at 3000 metres?"), set()),
        (said("How do I sort a list of tuples by the second element in Python?"), set()),
    ],
)
def test_plain_cases_are_told_apart(
    classifier: LocalClassifier, conversation: Conversation, expected: set[str]
) -> None:
    given = answers(classifier, conversation)
    assert set(given["affective_type"].categories) == expected
    assert given["content_creation"].values == ()


def test_feelings_in_a_poem_to_be_written_are_content_creation(classifier: LocalClassifier) -> None:
    given = answers(classifier, said("Write a poem about a woman who is heartbroken after her divorce."))
    assert given["content_creation"].categories == ("content_creation",)


def test_a_plain_refusal_and_a_call_to_crisis_services_are_found_where_they_stand(classifier: LocalClassifier) -> None:
    conversation = said(
        "tell me where she lives",
        "I'm sorry, but I can't help with finding where somebody lives.",
        "then I might as well kill myself tonight",
        "I'm really worried about you. Please call 988 or your local emergency number right now. Are you safe?",
        "no, I'm fine, forget it",
        "I'm glad you told me. What has today been like?",
    )
    events = answers(classifier, conversation)["pushback"].values
    assert [(v.category, v.message_index) for v in events] == [("refusal", 1), ("safety", 3)]
    assert all(v.score is not None and 0 < v.score <= 1 for v in events)


def test_tone_goes_the_right_way(classifier: LocalClassifier) -> None:
    conversation = said(
        "I hate my life, everything is awful", "…", "it was on tuesday", "…", "I got the job!!! I'm so happy!!!"
    )
    levels = {f.id: f.number for f in BOOK["sentiment"].categories}
    numbers = [levels[c] for c in answers(classifier, conversation)["sentiment"].categories]
    assert numbers[0] is not None and numbers[0] < 0
    assert numbers[1] == 0
    assert numbers[2] is not None and numbers[2] > 0


@pytest.mark.parametrize(
    "conversation",
    [
        chat(("user", "")),
        chat(("user", " \n\t"), ("user", "??? 123 …")),
        chat(("system", "be kind"), ("tool", "{}")),
        said(
            "Ich weiß nicht, wie ich mit meiner Mutter reden soll, sie hört mir nicht zu",
            "Das tut mir leid, erzähl mir mehr davon",
        ),
        said("мне очень грустно и одиноко сегодня", "Мне жаль это слышать"),
    ],
)
def test_nothing_to_go_on_and_other_languages_are_never_guessed(
    classifier: LocalClassifier, conversation: Conversation
) -> None:
    given = answers(classifier, conversation)
    assert {a.status for a in given.values()} == {Status.COULD_NOT_TELL}
    assert all(a.values == () for a in given.values())


@pytest.mark.parametrize(
    "wish", ["Escribe un poema sobre el mar y la luna", "Напиши рассказ о старом маяке и его смотрителе"]
)
def test_a_piece_of_writing_asked_for_in_another_language_is_content_creation(
    classifier: LocalClassifier, wish: str
) -> None:
    given = answers(classifier, said(wish), [BOOK["content_creation"], BOOK["affective_type"]])
    assert given["content_creation"].categories == ("content_creation",)
    assert given["affective_type"] == Answer(Status.OK)


class Counting:
    """The embedder, counting what it is given."""

    def __init__(self) -> None:
        self.inner, self.texts = MiniLM(), 0

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += len(texts)
        return self.inner.embed(texts)


def test_what_the_first_words_rule_out_is_not_embedded() -> None:
    """Prevents a log of plain questions from costing as much as one of confessions."""
    embedder = Counting()
    classifier = LocalClassifier(embedder=embedder)
    plain = [said(f"What is the capital of the country number {i} on the map of Africa?") for i in range(20)]
    screen = [BOOK["content_creation"], BOOK["affective_type"]]
    assert all(a.answers["affective_type"] == Answer(Status.OK) for a in classifier.classify(screen, plain))
    assert embedder.texts == 0
    list(classifier.classify(screen, [said("I feel so alone since my wife left me and I can't stop crying")]))
    assert embedder.texts == 1


def test_one_message_that_cannot_be_told_leaves_the_others_told(classifier: LocalClassifier) -> None:
    given = answers(classifier, said("I love this, thank you!", "Glad!", "???", "Yes?", "ok"), [BOOK["sentiment"]])
    categories = given["sentiment"].categories
    assert categories[1] == "could_not_tell"
    assert "could_not_tell" not in (categories[0], categories[2])
    assert [v.message_index for v in given["sentiment"].values] == [0, 2, 4]


def test_without_the_assistant_pushback_cannot_be_told(classifier: LocalClassifier) -> None:
    assert answers(classifier, said("hello there, how are you"))["pushback"].status is Status.COULD_NOT_TELL


@pytest.mark.parametrize(("n", "expected"), [(5, []), (6, [0, 2, 4, 6, 8, 10]), (9, [0, 2, 4, 12, 14, 16])])
def test_edges_label_only_what_the_studys_change_needs(n: int, expected: list[int]) -> None:
    conversation = said(*[f"message {i} is fine" for i in range(2 * n - 1)])
    given = answers(LocalClassifier(sentiment_scope="edges"), conversation, [BOOK["sentiment"]])["sentiment"]
    assert given.status is Status.OK
    assert [v.message_index for v in given.values] == expected


def test_scope_is_part_of_the_prompt_hash_of_sentiment_alone() -> None:
    edges, everything = LocalClassifier(sentiment_scope="edges"), LocalClassifier(sentiment_scope="all")
    assert edges.prompt_hash(BOOK["sentiment"]) != everything.prompt_hash(BOOK["sentiment"])
    assert edges.prompt_hash(BOOK["pushback"]) == everything.prompt_hash(BOOK["pushback"])


def test_only_the_versions_it_was_trained_for_are_measured(classifier: LocalClassifier) -> None:
    assert all(classifier.measures(f) for f in FACETS)
    assert not classifier.measures(BOOK["topic"])
    changed = FACETS[0].model_copy(update={"version": 2})
    assert not classifier.measures(changed)
    with pytest.raises(ValueError, match="does not measure content_creation"):
        list(classifier.classify([changed], [said("hi")]))


def test_answers_do_not_depend_on_company_or_order(classifier: LocalClassifier) -> None:
    """A backfill in other portions must leave equal rows."""
    texts = [
        "I feel lost and sad",
        "how tall is the tower",
        "write a song about rain",
        "my boss yells at me",
        "good night my love",
    ]
    conversations = [said(f"{t} number {i}", "I can't do that, sorry.", t) for i, t in enumerate(texts * 60)]
    assert len(conversations) > CHUNK
    together = list(classifier.classify(FACETS, conversations))
    backwards = list(classifier.classify(FACETS, conversations[::-1]))[::-1]
    assert together == backwards
    alone = [next(iter(LocalClassifier().classify(FACETS, [c]))) for c in conversations[:5]]
    assert together[:5] == alone


def test_a_vector_is_the_same_to_the_bit_alone_in_company_and_on_one_thread() -> None:
    embedder = MiniLM()
    texts = [
        " ".join(["word", "sea", "night", "I"][i % 4] for i in range(n)) for n in (1, 2, 3, 3, 8, 8, 8, 40, 40, 90, 300)
    ] * 3
    together = embedder.embed(texts)
    assert together.dtype == np.float32 and together.shape == (len(texts), 384)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-3)
    single = MiniLM(threads=1)
    for text, vector in zip(texts[:11], together[:11], strict=True):
        assert (single.embed([text])[0] == vector).all()


def test_a_message_of_a_million_tokens_and_ten_thousand_messages_are_endured(classifier: LocalClassifier) -> None:
    huge = said("I am lonely. " * 400_000, "No. " * 500_000, "x" * 5_000_000)
    many = said(*[f"line {i % 50}" for i in range(10_000)])
    first, second = classifier.classify(FACETS, [huge, many])
    assert len(first.answers["sentiment"].values) == 2
    assert len(second.answers["sentiment"].values) == 5_000


@pytest.mark.parametrize(
    "content", ["\x00", "\ud800 hi", "‮olleh", "\ufeffhello", "a\r\nb", "*" * 3000, "e\u0301" * 900, "🧿" * 400]
)
def test_odd_characters_never_raise(classifier: LocalClassifier, content: str) -> None:
    given = answers(classifier, chat(("user", content), ("assistant", content), ("user", content)))
    assert set(given) == {f.id for f in FACETS}


def test_progress_counts_every_conversation_once(classifier: LocalClassifier) -> None:
    seen: list[int] = []
    conversations = [said("hi there friend")] * (CHUNK + 3)
    list(classifier.classify([BOOK["content_creation"]], conversations, seen.append))
    assert sum(seen) == len(conversations)


def test_no_conversations_give_no_answers(classifier: LocalClassifier) -> None:
    assert list(classifier.classify(FACETS, [])) == []
