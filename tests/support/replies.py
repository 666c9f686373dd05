"""What must hold of any reply that was read, whatever was in it; and replies that are sound."""

from typing import Any

from dagster_project.classifiers.claude.prompt import Ask
from dagster_project.classifiers.claude.reply import Outcome, Reply
from dagster_project.classifiers.claude.window import Positions
from dagster_project.domain.labels import Status


def check_listed_or_nothing(reply: Reply, ask: Ask, at: Positions) -> None:
    """Ids of the codebook, positions that were shown, and one clean bounded line; or no answer, in words of ours."""
    if reply.outcome is not Outcome.OK:
        assert not reply.answers and reply.reason and len(reply.reason) < 90
        return
    assert reply.reason is None
    assert list(reply.answers) == [f.id for f in ask.facets]
    shown = {"human_message": at.human, "assistant_turn": at.assistant, "event": at.assistant}
    for facet in ask.facets:
        answer = reply.answers[facet.id]
        assert answer.status in (Status.OK, Status.COULD_NOT_TELL)
        assert {v.category for v in answer.values} <= {*facet.category_ids, "could_not_tell"}
        assert all(v.score is None for v in answer.values)
        assert {v.message_index for v in answer.values} <= set(shown.get(facet.unit, (None,)))
        if facet.max_characters is None:
            assert answer.text is None
            continue
        assert not answer.values
        assert (answer.text is None) == (answer.status is Status.COULD_NOT_TELL)
        if answer.text is not None:
            assert 0 < len(answer.text) <= facet.max_characters
            assert answer.text.isprintable() and answer.text == " ".join(answer.text.split())


def sound_reply(ask: Ask, at: Positions) -> dict[str, Any]:
    """A reply by the schema, with an event wherever the assistant speaks (at most three) and every message rated."""
    reply: dict[str, Any] = {}
    for facet in (f for f in ask.facets if f.of is None):
        first = next(iter(facet.category_ids), "")
        if facet.answer == "events":
            event = ask.schema["properties"][facet.id]["items"]["properties"]
            more = {key: event[key]["enum"][0] for key in event if key not in ("i", "kind")}
            reply[facet.id] = [{"i": i, "kind": first, **more} for i in at.assistant[:3]]
        elif facet.unit == "human_message":
            reply[facet.id] = [{"i": i, "value": first} for i in at.human]
        elif facet.answer == "multi_choice":
            reply[facet.id] = [first]
        else:
            reply[facet.id] = {"yes_no": "yes", "text": "Growing tomatoes."}.get(facet.answer, first)
    return reply
