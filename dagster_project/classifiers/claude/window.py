"""What Claude is shown of a conversation: one JSON document, bounded, with every message under its own number.

Lives here: which messages are shown, where they are cut, how they are written so that nothing in them can be taken
for anything but data, and which positions a reply may speak of. Not here: the instructions around it (`prompt.py`).

- Short enough: everything, but for system and tool messages, of which the beginning is shown.
- Longer: the beginning, evenly spaced pairs of messages, the end, and always the first three and last three human
  messages; long messages are cut in their middle. What is left out is counted in the document. The choice knows only
  roles, lengths and positions.
"""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dagster_project.domain.conversations import Conversation, Message, Role, indices_of
from dagster_project.domain.study import SENTIMENT_EDGE_MESSAGES

SentimentScope = Literal["edges", "all"]
"""Whose tone is asked: the first three and last three human messages (of all, if there are fewer), or of all shown."""

WINDOW_RULES = 1
"""Raised whenever another view of a conversation may come out: it is part of every prompt hash."""
LEAST_BUDGET = 500
SIDE_CHARACTERS = 400
"""Shown of a system or tool message."""
RATED_AT_MOST = 100
"""Human messages whose tone is asked at once: a reply is bounded, too."""

_WRAPPING = 16  # tokens around one message's text, marks of what is left out included
_LEAST_CUT = 60  # tokens: rather fewer messages than shorter pieces
_FEWEST = 8
_NAMES = {Role.USER: "human", Role.ASSISTANT: "assistant", Role.SYSTEM: "system", Role.TOOL: "tool"}
_SIDE = frozenset({Role.SYSTEM, Role.TOOL})

# Written as \uXXXX, so that they are seen as data: what cannot be seen (controls, bidirectional marks, tag characters,
# fillers, private use) but for the joiners that scripts and emoji need; "<", with which most chat templates' control
# tokens and all closing tags begin; and the bracket of control tokens such as [INST].
_UNSEEN = re.compile(
    "[<\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u205f-\u206f\u3164"
    "\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
    r"|\[(?=/?[A-Z][A-Z_]*\])"
)


@dataclass(frozen=True)
class Positions:
    """Which messages a reply may speak of, by index in the conversation, ascending: all that reading it needs.

    human: the human messages to be rated. heard: all human messages shown. assistant: the assistant's shown.
    share: characters shown of all, 0 to 1.
    """

    human: tuple[int, ...]
    heard: tuple[int, ...]
    assistant: tuple[int, ...]
    share: float

    def to_json(self) -> str:
        """For the ledger: numbers alone."""
        said = {"human": self.human, "heard": self.heard, "assistant": self.assistant, "share": self.share}
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Positions":
        """What `to_json` wrote."""
        said = json.loads(text)
        return cls(tuple(said["human"]), tuple(said["heard"]), tuple(said["assistant"]), float(said["share"]))


@dataclass(frozen=True)
class View:
    """What is sent of one conversation.

    document: JSON, `{"messages": [...]}`; a message is {"i", "role", "text"}, and where characters are left out of it
    "cut" (how many) and "then" (what follows them); {"omitted": n} stands for n messages. delimiter: random, not in
    the document, part of no hash. characters: shown. tokens: of the document, estimated.
    """

    document: str
    delimiter: str
    positions: Positions
    characters: int
    tokens: int

    @property
    def human(self) -> tuple[int, ...]:
        """Indices of the human messages to be rated, all of them shown."""
        return self.positions.human

    @property
    def assistant(self) -> tuple[int, ...]:
        """Indices of the assistant's messages shown."""
        return self.positions.assistant

    @property
    def share(self) -> float:
        """Characters shown of all, 0 to 1."""
        return self.positions.share

    def positions_json(self) -> str:
        """`Positions.to_json` of this view's."""
        return self.positions.to_json()


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is shown of one message: its beginning, and its end where something between was cut."""

    head: str
    tail: str
    cut: int


def estimated_tokens(text: str) -> int:
    """Tokens of a text, rather too many than too few, at the speed of encoding it.

    By the length of a character's UTF-8: one byte a third of a token (prose in English: a quarter), two bytes 0.75
    (Cyrillic, Arabic, accents), three 1.25 (Chinese, Hindi), four 3 (emoji, rare scripts). Blobs such as base64 come
    out up to a third low.
    """
    n = len(text)
    if text.isascii():
        return -(-n // 3)
    data = len(text.encode("utf-8", "surrogatepass"))
    plain = len(text.encode("ascii", "ignore"))
    beyond = len(text.encode("utf-16-le", "surrogatepass")) // 2 - n
    three = (data - plain - 4 * beyond) - 2 * (n - plain - beyond)
    two = n - plain - beyond - three
    return int(plain / 3 + two * 0.75 + three * 1.25 + beyond * 3) + 1


def view_of(
    conversation: Conversation, budget_tokens: int, scope: SentimentScope = "edges", delimiter: str | None = None
) -> View:
    """The bounded view: `estimated_tokens` of the document are at most `budget_tokens`, and so is the work, however
    long the conversation (but for counting its messages).

    delimiter: random unless given. Raises ValueError below `LEAST_BUDGET`, or when a given delimiter is in the
    conversation.
    """
    if budget_tokens < LEAST_BUDGET:
        raise ValueError(f"a view needs at least {LEAST_BUDGET} tokens")
    messages = conversation.messages
    total = sum(len(m.content) for m in messages)
    edges = _edges(indices_of(messages, Role.USER))
    pieces, document, tokens = _everything(messages, total, budget_tokens)
    aim = budget_tokens
    while not document:
        pieces = _windows(messages, edges, aim)
        written = _document(messages, pieces)
        tokens = estimated_tokens(written)
        if tokens <= budget_tokens or aim <= 1:
            document = written
        # What is escaped takes more room than was reckoned with.
        aim = max(1, min(aim * budget_tokens // tokens, aim * 9 // 10))
    heard = tuple(i for i in pieces if messages[i].role is Role.USER)
    shown = sum(len(p.head) + len(p.tail) for p in pieces.values())
    positions = Positions(
        human=tuple(edges) if scope == "edges" else _at_most(heard, RATED_AT_MOST),
        heard=heard,
        assistant=tuple(i for i in pieces if messages[i].role is Role.ASSISTANT),
        share=round(shown / total, 4) if total else 1.0,
    )
    return View(document, _delimiter(document, delimiter), positions, shown, tokens)


def _delimiter(document: str, given: str | None) -> str:
    if given is not None:
        if not given or given in document:
            raise ValueError("the delimiter is in the conversation")
        return given
    while (made := secrets.token_hex(6)) in document:
        pass
    return made


def _edges(human: Sequence[int]) -> list[int]:
    edge = SENTIMENT_EDGE_MESSAGES
    return list(human) if len(human) <= 2 * edge else [*human[:edge], *human[-edge:]]


def _at_most(indices: tuple[int, ...], n: int) -> tuple[int, ...]:
    return indices if len(indices) <= n else indices[: n // 2] + indices[-(n - n // 2) :]


def _everything(messages: Sequence[Message], total: int, budget: int) -> tuple[dict[int, _Piece], str, int]:
    """All messages, if they fit; else an empty document."""
    if total <= 4 * budget and len(messages) <= budget:
        pieces = {i: _whole(m) for i, m in enumerate(messages)}
        document = _document(messages, pieces)
        tokens = estimated_tokens(document)
        if tokens <= budget:
            return pieces, document, tokens
    return {}, "", 0


def _windows(messages: Sequence[Message], edges: Sequence[int], aim: int) -> dict[int, _Piece]:
    """As many messages as can be shown in pieces that are worth reading, none with more than its part of the room."""
    reckoned: dict[int, int] = {}

    def costs(chosen: Sequence[int]) -> list[int]:
        for i in chosen:
            if i not in reckoned:
                text = messages[i].content
                text = text[:SIDE_CHARACTERS] if messages[i].role in _SIDE else text
                reckoned[i] = aim if len(text) > 3 * aim else min(aim, estimated_tokens(text))
        return [reckoned[i] for i in chosen]

    n = max(1, min(len(messages), aim // _WRAPPING))
    while True:
        chosen = _chosen(messages, n, edges)
        cap = _part(costs(chosen), aim - _WRAPPING * len(chosen))
        if cap >= _LEAST_CUT or n <= _FEWEST:
            return {i: _piece(messages[i], cap) for i in chosen}
        n = max(_FEWEST, n * 2 // 3)


def _chosen(messages: Sequence[Message], n: int, always: Sequence[int]) -> list[int]:
    """About n positions: a quarter at the start, a quarter at the end, pairs evenly spaced between, and `always`."""
    size = len(messages)
    if n >= size:
        return list(range(size))
    edge = max(1, n // 4)
    taken = {*range(edge), *range(size - edge, size), *always}
    pairs = (n - 2 * edge) // 2
    middle = size - 2 * edge
    for pair in range(pairs):
        start, end = edge + pair * middle // pairs, edge + (pair + 1) * middle // pairs
        at = max(start, (start + end) // 2 - 1)
        # What the assistant says is judged by what it was asked.
        first = at - 1 if messages[at].role is Role.ASSISTANT else at
        taken |= {first, first + 1}
    return sorted(i for i in taken if i < size)


def _part(costs: Sequence[int], room: int) -> int:
    """The most that each may take, so that all together stay within the room: the small ones leave theirs to others."""
    left = len(costs)
    for cost in sorted(costs):
        if cost * left > room:
            return max(1, room // left)
        room -= cost
        left -= 1
    return max(_LEAST_CUT, *costs)


def _whole(message: Message) -> _Piece:
    text = message.content
    if message.role in _SIDE and len(text) > SIDE_CHARACTERS:
        return _Piece(text[:SIDE_CHARACTERS], "", len(text) - SIDE_CHARACTERS)
    return _Piece(text, "", 0)


def _piece(message: Message, cap: int) -> _Piece:
    """The message, or as much of its beginning and end (two to one) as `cap` tokens hold once written."""
    text = message.content
    room = min(len(text), SIDE_CHARACTERS if message.role in _SIDE else 3 * cap)
    while room > 0:
        tail_size = 0 if message.role in _SIDE or room == len(text) else room // 3
        head = text[: room - tail_size]
        tail = text[len(text) - tail_size :]
        tokens = estimated_tokens(_written(head)) + estimated_tokens(_written(tail))
        if tokens <= cap:
            return _Piece(head, tail, len(text) - room)
        room = min(room * cap // tokens, room * 9 // 10)
    return _Piece("", "", len(text))


def _document(messages: Sequence[Message], pieces: dict[int, _Piece]) -> str:
    shown: list[dict[str, Any]] = []
    expected = 0
    for i, piece in pieces.items():
        if i > expected:
            shown.append({"omitted": i - expected})
        said: dict[str, Any] = {"i": i, "role": _NAMES[messages[i].role], "text": piece.head}
        if piece.cut:
            said["cut"] = piece.cut
            if piece.tail:
                said["then"] = piece.tail
        shown.append(said)
        expected = i + 1
    if len(messages) > expected:
        shown.append({"omitted": len(messages) - expected})
    return _written({"messages": shown})


def _written(value: Any) -> str:
    """JSON that any parser reads back exactly, with everything that could pose as more than data escaped."""
    return _UNSEEN.sub(_escape, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if ord(found[0]) > 0x7F else f"\\u{ord(found[0]):04x}"
