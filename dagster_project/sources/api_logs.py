"""Logs of requests to a chat API: where in an entry the request, the reply, the time, the user and the ids lie.

Every gateway wraps the request and its reply in keys of its own; those read are listed here and in `docs/formats.md`.
Not here: what the APIs' messages look like (`openai.py`, `anthropic.py`), joining requests to conversations
(`threads.py`).
"""

from dataclasses import dataclass
from typing import Any

from dagster_project.sources.building import as_dict, as_list, first_of
from dagster_project.sources.outcome import Reason, Refusal

REQUEST_KEYS = ("request", "body", "params", "input", "kwargs")
REPLY_KEYS = ("response", "completion", "result", "reply", "output")
TIME_KEYS = ("started_at", "created_at", "timestamp", "time", "start_time", "created", "ts", "date")
THREAD_KEYS = ("conversation_id", "thread_id", "session_id", "chat_id")
USER_KEYS = ("user_id", "user", "safety_identifier", "end_user")
ID_KEYS = ("id", "request_id", "custom_id")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry taken apart. `request` has the messages; `reply` is empty where none was logged."""

    request: dict[str, Any]
    reply: dict[str, Any]
    around: dict[str, Any]

    def thread(self) -> Any:
        """The id of the conversation, where the log has one."""
        return self._named(THREAD_KEYS)

    def user(self) -> Any:
        """The user's id: beside the request, in it, or in its metadata."""
        found = self._named(USER_KEYS)
        return found.get("id") if isinstance(found, dict) else found

    def own_id(self) -> Any:
        """The reply's id, which is the API's own; else the entry's."""
        return first_of(self.reply, ("id",)) or first_of(self.around, ID_KEYS)

    def time(self) -> Any:
        """When the request was made."""
        return next((t for part in (self.around, self.request, self.reply) if (t := first_of(part, TIME_KEYS))), None)

    def _named(self, names: tuple[str, ...]) -> Any:
        parts = (self.around, self.request)
        places = [place for part in parts for place in (part, as_dict(part.get("metadata")))]
        return next((value for place in places if (value := first_of(place, names)) is not None), None)


def entry_of(record: dict[str, Any]) -> Entry | None:
    """A log entry taken apart; None where no messages are found in it."""
    request = _request(record)
    if request is None:
        return None
    reply = next((found for name in REPLY_KEYS if (found := _reply(record.get(name)))), {})
    return Entry(request, reply, record)


def asked_of(record: dict[str, Any]) -> tuple[Entry, list[Any]]:
    """A log entry taken apart, and the messages of its request. Raises Refusal."""
    entry = entry_of(record)
    if entry is None:
        raise Refusal(Reason.NO_MESSAGES)
    messages = entry.request["messages"]
    if not isinstance(messages, list):
        raise Refusal(Reason.INVALID_MESSAGE)
    return entry, messages


def _request(record: dict[str, Any]) -> dict[str, Any] | None:
    if "messages" in record:
        return record
    for name in REQUEST_KEYS:
        inner = as_dict(record.get(name))
        for request in (inner, as_dict(inner.get("body"))):
            if "messages" in request:
                return request
        if name == "input" and as_list(record.get(name)) and all(_is_message(m) for m in record[name]):
            return {"messages": record[name]}
    return None


def _reply(value: Any) -> dict[str, Any]:
    """A reply as the API gives it, or as one message; a text is taken for the assistant's."""
    if isinstance(value, str) and value:
        return {"role": "assistant", "content": value}
    reply = as_dict(value)
    for name in ("body", "message"):
        inner = as_dict(reply.get(name))
        if "choices" in inner or "content" in inner:
            return inner
    return reply if "choices" in reply or "content" in reply else {}


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and "content" in value
