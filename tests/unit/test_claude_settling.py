"""How results become answers and costs: the judgements that do not need a server."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from dagster_project.classifiers.claude.asking import Asker
from dagster_project.classifiers.claude.client import Patience
from dagster_project.classifiers.claude.passes import Item, Questions, parts_of_items
from dagster_project.classifiers.claude.prices import Price, price_of
from dagster_project.classifiers.claude.prompt import Ask, AskError
from dagster_project.classifiers.claude.settling import UNREADABLE, Settler, described
from dagster_project.classifiers.claude.transport import Blame, Failed, Prepared, Replied, Result, Settle
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Asked, Request, Usage, Wanted
from tests.support.asking import MODEL, Items, answers, labeller_of, ledger_in, questions

USAGE = Usage(1000, 20)
GOOD = '{"content_creation":"no","affective_type":["coaching"]}'
POSITIONS = '{"human":[0],"heard":[0],"assistant":[1],"share":1.0}'
CODEBOOK = shipped_codebook()
SCREEN = CODEBOOK.of_stage("screen")


def price(model: str) -> Price:
    return price_of(model, date(2026, 11, 1))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[RequestLedger]:
    with ledger_in(tmp_path) as opened:
        yield opened


def settler(ledger: RequestLedger, **patience: int) -> Settler:
    return Settler(ledger, labeller_of, price, Patience(**patience))


def claimed(ledger: RequestLedger, n: int, transport: str = "live", body: str | None = None) -> Sequence[Request]:
    ask = Ask(SCREEN)
    wanted = [Wanted(f"{i:032x}", date(2026, 10, 5), POSITIONS, 1000, 0.001) for i in range(n)]
    asked = Asked(ask.hash, body or ask.to_json(), ask.hashes)
    labeller = labeller_of(MODEL)
    return ledger.claim(wanted, asked, model=MODEL, labeller=labeller, stage="screen", transport=transport).requests


def test_results_of_an_earlier_run_are_read_by_the_ask_they_were_sent_with(ledger: RequestLedger) -> None:
    """A batch may come back after the codebook has changed: its replies were paid, and mean what was asked then."""
    requests = claimed(ledger, 3, "batch")
    late = settler(ledger)
    late([Result(r, Replied("end_turn", (GOOD,), USAGE)) for r in requests])
    assert (late.tally.closed, late.tally.replied) == (3, 3)
    found = ledger.answers.read(
        [r.content_hash for r in requests], SCREEN[0], labeller_of(MODEL), Ask(SCREEN).hashes[0]
    )
    assert len(found) == 3
    live = price(MODEL).input * 1000 / 1e6 + price(MODEL).output * 20 / 1e6
    assert ledger.spent() == pytest.approx(3 * live / 2)


def test_a_result_that_comes_twice_is_paid_and_answered_once(ledger: RequestLedger) -> None:
    """Results are delivered twice, and two processes may save the same batch."""
    requests = claimed(ledger, 2)
    results = [Result(r, Replied("end_turn", (GOOD,), USAGE)) for r in requests]
    settler(ledger)(results)
    spent = ledger.spent()
    settler(ledger)([*results, *results])
    assert ledger.spent() == spent
    assert ledger.totals().requests == 2


def test_a_reply_to_an_ask_of_another_version_is_booked_and_labels_nothing(ledger: RequestLedger) -> None:
    """What is not understood must not become a label, and what was paid must not vanish from the books."""
    requests = claimed(ledger, 1, body='{"format": 99}')
    late = settler(ledger)
    late([Result(requests[0], Replied("end_turn", (GOOD,), USAGE))])
    assert dict(late.tally.again) == {UNREADABLE: 1}
    assert ledger.spent() > 0
    assert ledger.totals().in_flight == 0


def test_failures_become_labels_only_where_others_are_answered(ledger: RequestLedger) -> None:
    """An outage is not a property of conversations."""
    for blame in Blame:
        one = settler(ledger, attempts=2)
        for _ in range(4):
            requests = claimed(ledger, 3)
            assert len(requests) == 3
            one([Result(r, Failed("lost", blame)) for r in requests])
        assert one.tally.closed == 0
    requests = claimed(ledger, 3)
    one([Result(requests[0], Replied("end_turn", (GOOD,), USAGE))])
    one([Result(requests[1], Failed("lost", Blame.CHANCE)), Result(requests[2], Failed("not_taken", Blame.REQUEST))])
    assert (one.tally.closed, one.tally.invalid) == (3, 2)
    assert claimed(ledger, 3) == ()


def test_a_request_is_known_to_be_at_fault_where_its_kind_was_answered_in_earlier_runs(ledger: RequestLedger) -> None:
    """One conversation that no server takes must not block its day for ever."""
    answered, poison = claimed(ledger, 2)
    settler(ledger)([Result(answered, Replied("end_turn", (GOOD,), USAGE))])
    later = settler(ledger)
    later([Result(poison, Failed("not_taken", Blame.REQUEST))])
    assert later.tally.invalid == 1


def event(at: int, kind: str = "refusal") -> Value:
    return Value(kind, None, at)


@pytest.mark.parametrize(
    ("said", "found", "kept", "expected"),
    [
        # The same events: as said.
        ((event(1, "mild"), event(3, "firm")), (event(1), event(3)), (event(1), event(3)), {1: "mild", 3: "firm"}),
        # One is found that is not kept, one that is kept is not found.
        ((event(1, "mild"), event(5, "firm")), (event(1), event(5)), (event(1), event(3)), {1: "mild", 3: "could_not_tell"}),
        # A yes/no attribute says no by saying nothing.
        ((), (event(1), event(3)), (event(1), event(3)), {}),
        ((), (event(1),), (event(1), event(3)), {3: "could_not_tell"}),
        ((event(7, "mild"),), (event(7),), (), {}),
    ],
)  # fmt: skip
def test_attributes_describe_the_events_that_are_kept(
    said: tuple[Value, ...], found: tuple[Value, ...], kept: tuple[Value, ...], expected: dict[int, str]
) -> None:
    """Else a table of strengths would count events that the table of events does not have."""
    answer = described(Answer(Status.OK, said), Answer(Status.OK, found), Answer(Status.OK, kept))
    assert {value.message_index: value.category for value in answer.values} == expected


def test_attributes_share_the_fate_of_their_events() -> None:
    """Where there are no events to describe, nothing is described."""
    strengths, events = Answer(Status.OK, (event(1, "mild"),)), Answer(Status.OK, (event(1),))
    assert described(strengths, events, Answer(Status.REFUSED)).status is Status.REFUSED
    assert described(strengths, events, Answer(Status.OK, (event(3),))).status is Status.COULD_NOT_TELL
    untold = Answer(Status.COULD_NOT_TELL)
    assert described(untold, events, Answer(Status.OK, (event(1), event(3)))).status is Status.COULD_NOT_TELL
    assert described(Answer(Status.INVALID), Answer(Status.INVALID), events).status is Status.INVALID


def test_a_late_attribute_is_kept_for_the_events_that_are_kept(ledger: RequestLedger) -> None:
    """The second reply finds another event than the first: the first stays, and nothing is said of the other."""

    items = Items(ledger, 1, n_messages=8)
    both = (CODEBOOK["pushback"], CODEBOOK["pushback_strength"])
    first, later = (
        '{"pushback":[{"i":1,"kind":"refusal"}]}',
        '{"pushback":[{"i":3,"kind":"refusal","strength":"firm"}]}',
    )
    asker_over(ledger, ByRote(Replied("end_turn", (first,), USAGE))).answer_all(Questions(both[:1], MODEL), items)
    asker_over(ledger, ByRote(Replied("end_turn", (later,), USAGE))).answer_all(Questions(both, MODEL), items)
    told = answers(ledger, Questions(both, MODEL), items)
    (events,), (strengths,) = told["pushback"].values(), told["pushback_strength"].values()
    assert [value.message_index for value in events.values] == [1]
    assert strengths == Answer(Status.COULD_NOT_TELL)


class ByRote:
    """A transport without a wire: each request ends as `endings` say in turn, the last for ever."""

    name: Literal["live"] = "live"

    def __init__(self, *endings: Replied | Failed) -> None:
        self.endings = list(endings)
        self.taken: list[Request] = []
        self.room: list[int] = []

    def send(self, prepared: Iterator[Prepared], settle: Settle) -> None:
        for one in prepared:
            self.taken.append(one.request)
            self.room.append(one.make()["max_tokens"])
            ending = self.endings.pop(0) if len(self.endings) > 1 else self.endings[0]
            settle([Result(one.request, ending)])


def asker_over(ledger: RequestLedger, transport: ByRote) -> Asker:
    patience = Patience(longest_wait=0.01, elsewhere=0.01)
    return Asker(ledger, transport, lambda settle: 0, labeller_of=labeller_of, price_of=price, patience=patience)


def test_progress_counts_each_conversation_once_over_all_passes(ledger: RequestLedger) -> None:
    """A bar that runs over its end, or stops before it, is not believed."""
    bad, good = Replied("end_turn", ("no",), USAGE), Replied("end_turn", (GOOD,), USAGE)
    transport = ByRote(good, bad, Failed("lost", Blame.CHANCE), bad, bad, good)
    told: list[int] = []
    report = asker_over(ledger, transport).answer_all(questions(), Items(ledger, 20), told.append)
    assert sum(told) == 20
    assert (report.passes, report.requests, report.invalid) == (2, 24, 0)
    assert [r.answered for r in transport.taken[20:]] == [1, 0, 1, 1]
    # Who was answered badly gets more room: the reply may have been too long for it.
    assert [n // min(transport.room) for n in transport.room[20:]] == [2, 1, 2, 2]
    assert all(len(found) == 20 for found in answers(ledger, questions(), Items(ledger, 20)).values())


def test_what_was_claimed_and_not_sent_is_given_back(ledger: RequestLedger) -> None:
    """Else the next run in the same process would wait for itself."""

    class Breaks(ByRote):
        def send(self, prepared: Iterator[Prepared], settle: Settle) -> None:
            next(prepared)
            raise RuntimeError("the wire is cut")

    with pytest.raises(RuntimeError):
        asker_over(ledger, Breaks(Failed("lost", Blame.CHANCE))).answer_all(questions(), Items(ledger, 20))
    assert ledger.totals().in_flight == 0
    good = ByRote(Replied("end_turn", (GOOD,), USAGE))
    assert asker_over(ledger, good).answer_all(questions(), Items(ledger, 20)).requests == 20


def test_a_model_without_a_price_is_refused_before_anything_is_claimed(ledger: RequestLedger) -> None:
    """A budget cannot hold what has no price."""
    with pytest.raises(Exception, match=r"\[claude\.prices\.unheard-of\]"):
        asker_over(ledger, ByRote(Failed("lost", Blame.CHANCE))).answer_all(
            Questions(SCREEN, "unheard-of"), Items(ledger, 2)
        )
    assert ledger.totals().in_flight == 0


def test_an_attribute_without_its_events_is_refused() -> None:
    """It would describe nothing."""
    with pytest.raises(AskError, match="pushback"):
        Questions((CODEBOOK["pushback_strength"],), MODEL)


def test_parts_are_bounded_by_number_and_by_text(ledger: RequestLedger) -> None:
    """A thousand conversations of a million words each do not fit into memory together."""
    short = list(parts_of_items(Items(ledger, 600)))
    assert [len(part) for part in short] == [256, 256, 88]
    item = next(iter(Items(ledger, 1, n_words=500_000)))
    long = list(parts_of_items([Item(item.conversation, str(i), item.day) for i in range(9)]))
    assert max(len(part) for part in long) <= 3
    assert sum(len(part) for part in long) == 9
