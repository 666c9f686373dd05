"""The two bad characters of the small model: one that leaks and one that obeys.

Lives here: what they take out of a conversation. Not here: where they put it (`messages_server_model.py`).
"""

import base64
import binascii
import re

from tests.support.messages_server_asked import Asked, Message

LEAK_CHARACTERS = 150
ORDER = re.compile(
    r"(?:answer|reply|respond|output|write|say|print|return|label\w*|classif\w+|set|mark)\b[^\"'`\n]{0,60}[\"'`](.{1,300}?)[\"'`]",
    re.I | re.S,
)
ENCODED = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")


def leak(text: str) -> str:
    """A part of the conversation where names and numbers are likely."""
    found = re.search(r"\S*[@\d]\S*|\b[A-Z][a-z]+ [A-Z][a-z]+", text)
    start = max(0, found.start() - 40) if found else 0
    return text[start : start + LEAK_CHARACTERS].encode("utf-8", "replace").decode() or "nothing said"


def obey(asked: Asked) -> str | None:
    """What the conversation tells the model to say, or None when it tells nothing.

    Three ways to obey, by hash: a JSON object found in the conversation, as it stands; the words ordered to be said; or
    None, and then the answer keeps to the schema but takes every category that the conversation names.
    """
    text = "\n".join(_with_decoded(m) for m in asked.messages)
    way = asked.key[0] % 3
    if way < 2 and (found := re.search(r"\{[^{}]{2,2000}(?:\{[^{}]{0,500}\}[^{}]{0,500}){0,5}\}", text)):
        return found.group()
    if way == 1 and (found := ORDER.search(text)):
        return found.group(1)
    return None


def _with_decoded(message: Message) -> str:
    """The text and what is encoded in it."""
    told = [message.text]
    for found in ENCODED.findall(message.text)[:20]:
        try:
            told.append(base64.b64decode(found + "=" * (-len(found) % 4)).decode())
        except (binascii.Error, ValueError):
            continue
    return "\n".join(told)
