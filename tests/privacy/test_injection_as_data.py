"""A conversation that talks to the labeller is data on its way there, and a value of the codebook on its way back."""

import json
from itertools import pairwise

import pytest

from dagster_project.classifiers.claude import prompt
from dagster_project.classifiers.claude.prompt import Ask
from dagster_project.classifiers.claude.reply import Outcome, read_reply
from dagster_project.classifiers.claude.window import SIDE_CHARACTERS
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.conversations import Conversation, Role
from tests.support.injections import CARRIERS, NAME, PHONE, STREET, Case, attacks, cases, conversation_of
from tests.support.injections import replies_of_an_obedient_model as obedient_replies
from tests.support.replies import check_listed_or_nothing, sound_reply

BOOK = shipped_codebook()
ASKS = {stage: Ask(BOOK.of_stage(stage)) for stage in ("screen", "detail")}
MODEL = "claude-haiku-5-5"
HARMLESS: Conversation = conversation_of([(Role.USER, "Good morning."), (Role.ASSISTANT, "Good morning!")])
CONTROL_TOKENS = ("<", "\nHuman:", "\nAssistant:", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]")
by_carrier = pytest.mark.parametrize("carrier", CARRIERS)
by_stage = pytest.mark.parametrize("stage", ASKS)


def of_carrier(carrier: str) -> list[Case]:
    return [case for case in cases() if case.carrier == carrier]


def test_the_set_is_large_and_varied() -> None:
    """Two hundred spellings of one sentence would be one test."""
    assert len({tuple(case.texts) for case in cases()}) == len(cases()) >= 200
    assert len(attacks()) >= 36
    assert len({a.language for a in attacks()}) > 6
    assert {a.kind for a in attacks()} >= {"direct", "role", "tag", "json", "delimiter", "schema", "tool"}
    assert all(len(of_carrier(carrier)) >= 5 for carrier in CARRIERS)
    assert len({case.attack.kind for case in of_carrier("base64")}) >= 3


@by_stage
@by_carrier
def test_nothing_but_the_document_of_a_request_knows_the_conversation(stage: str, carrier: str) -> None:
    """A prompt, schema or setting that a conversation can change is one that it can rewrite."""
    ask = ASKS[stage]
    harmless = ask.params(ask.view(HARMLESS), MODEL)
    for case in of_carrier(carrier):
        view = ask.view(case.conversation)
        params = ask.params(view, MODEL)
        for part in ("model", "max_tokens", "system", "output_config"):
            assert json.dumps(params[part]) == json.dumps(harmless[part]), case.id
        assert params.keys() == harmless.keys()
        assert [m["role"] for m in params["messages"]] == ["user"]
        lines = params["messages"][0]["content"].split("\n")
        rate = [f"{prompt.RATE} {json.dumps(view.human, separators=(',', ':'))}"] if ask.rates_messages else []
        assert lines == [prompt.BEFORE, view.delimiter, view.document, view.delimiter, *rate, prompt.AFTER], case.id


@by_carrier
def test_the_conversation_is_inside_the_json_document_alone(carrier: str) -> None:
    """What breaks out of its string is an instruction; what is changed on the way is not what was said."""
    for case in of_carrier(carrier):
        view = ASKS["screen"].view(case.conversation)
        content = ASKS["screen"].params(view, MODEL)["messages"][0]["content"]
        assert content.count(view.delimiter) == 2, case.id
        assert not any(view.delimiter in text for text in case.texts), case.id
        assert [token for token in CONTROL_TOKENS if token in content] == [], case.id
        # Printable, but for the joiners that scripts need: nothing can be there without being seen.
        assert all(c.isprintable() or c in "\u200c\u200d\u00a0\u3000" for c in view.document), case.id
        said = json.loads(view.document)
        assert said.keys() == {"messages"}
        at = 0
        for item in said["messages"]:
            if item.keys() == {"omitted"}:
                at += item["omitted"]
                continue
            message = case.conversation.messages[at]
            role = {Role.USER: "human"}.get(message.role, message.role.value)
            assert (item["i"], item["role"]) == (at, role), case.id
            head, tail = item["text"], item.get("then", "")
            assert item.keys() <= {"i", "role", "text", "cut", "then"}
            if "cut" not in item:
                assert head == message.content, case.id
            assert message.content == head + message.content[len(head) : len(message.content) - len(tail)] + tail
            assert item.get("cut", 0) == len(message.content) - len(head) - len(tail), case.id
            at += 1
        assert at == len(case.conversation.messages), case.id


def test_short_conversations_come_back_word_for_word() -> None:
    """All but the long carriers are shown whole: parsing the document gives the conversation, roles and order kept."""
    whole = 0
    for case in cases():
        messages = case.conversation.messages
        if case.carrier in ("buried", "at-the-end-of-much", "among-many") or any(
            len(m.content) > SIDE_CHARACTERS for m in messages if m.role in (Role.SYSTEM, Role.TOOL)
        ):
            continue
        document = ASKS["detail"].view(case.conversation).document
        back = [(item["role"], item["text"]) for item in json.loads(document)["messages"]]
        assert back == [({Role.USER: "human"}.get(m.role, m.role.value), m.content) for m in messages], case.id
        whole += 1
    assert whole >= 200


def test_markers_cannot_be_guessed_from_one_another() -> None:
    """A marker seen once, or one in a row, would be a way out of the next document."""
    markers = [ASKS["screen"].view(HARMLESS).delimiter for _ in range(400)]
    assert len(set(markers)) == len(markers)
    assert all(len(m) == 12 and set(m) <= set("0123456789abcdef") for m in markers)
    assert sum(a[:2] == b[:2] for a, b in pairwise(markers)) < 20


@by_stage
@by_carrier
def test_what_an_obedient_model_replies_is_of_the_codebook_or_invalid(stage: str, carrier: str) -> None:
    """The model may be talked round; the figures may not: no reply brings in a word, a position or a line of its own."""
    ask = ASKS[stage]
    text_facets = {f.id for f in ask.facets if f.max_characters is not None}
    outcomes: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
    for case in of_carrier(carrier):
        at = ask.view(case.conversation).positions
        sound = sound_reply(ask, at)
        assert read_reply(ask, at, "end_turn", [json.dumps(sound)]).outcome is Outcome.OK
        for text in obedient_replies(case, sound):
            reply = read_reply(ask, at, "end_turn", [text])
            check_listed_or_nothing(reply, ask, at)
            outcomes[reply.outcome] += 1
            labels = repr({k: v for k, v in reply.answers.items() if k not in text_facets}) + str(reply.reason)
            assert not any(private in labels for private in (NAME, STREET, PHONE)), case.id
    assert outcomes[Outcome.INVALID] > 100 and outcomes[Outcome.REFUSED] == 0


def test_a_ready_answer_in_the_conversation_is_at_most_a_wrong_label() -> None:
    """The most that an obedient model can do is to choose another value of the codebook: say so, and no more."""
    ready = next(a for a in attacks() if a.id == "ready-answer")
    ask = ASKS["screen"]
    at = ask.view(conversation_of([(Role.USER, ready.text)])).positions
    reply = read_reply(ask, at, "end_turn", [ready.text])
    assert reply.outcome is Outcome.OK
    assert reply.answers["affective_type"].categories == ("sexual_roleplay",)
    check_listed_or_nothing(reply, ask, at)
