"""What the local classifier reads of a conversation, and how much of it: documented windows, bounded work.

- Screen (content creation, types): the person's words alone, at most `SCREEN_CHARACTERS`, the beginning and the end
  of longer ones; at most two embedding windows, `WINDOW_CHARACTERS` each.
- Pushback: each turn of the assistant by itself, beginning and end, with the person's message before it; its first
  `TURN_WINDOW_CHARACTERS` are embedded where its words alone do not rule pushback out.
- Sentiment: each human message by itself, beginning and end.

Not here: features of these texts (`features.py`), the decision (`classifier.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.domain.conversations import Conversation, Role

SCREEN_CHARACTERS = 6_000
WINDOW_CHARACTERS = 400
TURN_CHARACTERS = 1_200
TURN_WINDOW_CHARACTERS = 200
MESSAGE_CHARACTERS = 600
STRUCTURE_MESSAGES = 200


@dataclass(frozen=True, slots=True)
class ScreenView:
    """The person's side of one conversation.

    text: their words, cut to the beginning and end. windows: one or two pieces to embed. messages: their first
    messages (for counts). assistant: the beginning of the assistant's words (for scene markers alone).
    """

    text: str
    windows: tuple[str, ...]
    messages: tuple[str, ...]
    n_messages: int
    assistant: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the assistant: its position in the conversation, its words, the person's words before it."""

    index: int
    text: str
    before: str

    @property
    def window(self) -> str:
        """The beginning, as it is embedded."""
        return self.text[:TURN_WINDOW_CHARACTERS]


def edges(text: str, limit: int) -> str:
    """The text, or its first two thirds and last third of `limit` characters."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    return f"{text[:head]} … {text[-(limit - head) :]}"


def _gather(contents: Sequence[str], limit: int) -> str:
    """Join messages from the front until `limit` characters; never touches what lies beyond."""
    parts: list[str] = []
    room = limit
    for content in contents:
        piece = content[:room].strip()
        if piece:
            parts.append(piece)
        room -= len(piece) + 1
        if room <= 0:
            break
    return "\n".join(parts)


def _gather_end(contents: Sequence[str], limit: int) -> str:
    parts: list[str] = []
    room = limit
    for content in reversed(contents):
        piece = content[-room:].strip()
        if piece:
            parts.append(piece)
        room -= len(piece) + 1
        if room <= 0:
            break
    return "\n".join(reversed(parts))


def screen_view(conversation: Conversation) -> ScreenView:
    """The person's side, bounded."""
    human = [m.content for m in conversation.human_messages]
    total = sum(len(c) + 1 for c in human)
    if total <= SCREEN_CHARACTERS:
        text = _gather(human, SCREEN_CHARACTERS)
    else:
        head = SCREEN_CHARACTERS * 2 // 3
        text = f"{_gather(human, head)}\n{_gather_end(human, SCREEN_CHARACTERS - head)}"
    flat = " ".join(text.split())
    windows: tuple[str, ...] = ()
    if flat:
        windows = (flat[:WINDOW_CHARACTERS],)
        if len(flat) > 2 * WINDOW_CHARACTERS:
            windows += (flat[-WINDOW_CHARACTERS:],)
    return ScreenView(
        text=text,
        windows=windows,
        messages=tuple(c[:MESSAGE_CHARACTERS] for c in human[:STRUCTURE_MESSAGES]),
        n_messages=len(human),
        assistant=_gather([m.content for m in conversation.assistant_messages], 2_000),
    )


def turns(conversation: Conversation) -> list[Turn]:
    """Every message of the assistant, with the human message last heard before it."""
    found: list[Turn] = []
    before = ""
    for index, message in enumerate(conversation.messages):
        if message.role is Role.USER:
            before = edges(message.content, MESSAGE_CHARACTERS)
        elif message.role is Role.ASSISTANT:
            found.append(Turn(index, edges(message.content, TURN_CHARACTERS), before))
    return found
