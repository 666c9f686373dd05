"""What reading a record comes to: a conversation, or a refusal with one of a closed set of reasons.

Lives here: the two outcomes, the reasons, what is left out, and the words for them. Not here: who decides (the formats,
`streams.py`), where refused lines are kept (`storage/quarantine.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dagster_project.domain.conversations import Conversation


class Reason(StrEnum):
    """Why a line or a file was refused. The names are folder names of the quarantine and keys of reports."""

    INVALID_JSON = "invalid_json"
    INVALID_UTF8 = "invalid_utf8"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_ID = "missing_id"
    INVALID_ID = "invalid_id"
    INVALID_USER = "invalid_user"
    MISSING_TIME = "missing_time"
    UNREADABLE_TIME = "unreadable_time"
    IMPLAUSIBLE_DATE = "implausible_date"
    NO_MESSAGES = "no_messages"
    NO_HUMAN_MESSAGE = "no_human_message"
    UNKNOWN_ROLE = "unknown_role"
    INVALID_MESSAGE = "invalid_message"
    INVALID_TREE = "invalid_tree"
    INVALID_ROW = "invalid_row"
    CONFLICT = "conflict"
    TOO_LONG_LINE = "too_long_line"
    TRUNCATED_FILE = "truncated_file"
    DAMAGED_FILE = "damaged_file"
    UNREADABLE_FILE = "unreadable_file"


DESCRIPTIONS: dict[Reason, str] = {
    Reason.INVALID_JSON: "the line is not JSON, or nested too deeply to be a conversation",
    Reason.INVALID_UTF8: "the line holds bytes that are not UTF-8",
    Reason.NOT_AN_OBJECT: "the line is JSON, but not an object",
    Reason.MISSING_ID: "conversation_id is missing or empty",
    Reason.INVALID_ID: "conversation_id is neither a text nor a whole number",
    Reason.INVALID_USER: "user_id is neither a text nor a whole number",
    Reason.MISSING_TIME: "started_at is missing",
    Reason.UNREADABLE_TIME: "started_at is neither ISO 8601 nor seconds since 1970 (or milli-, micro-, nanoseconds)",
    Reason.IMPLAUSIBLE_DATE: "started_at lies before 2000 or more than a day in the future",
    Reason.NO_MESSAGES: "messages is missing or empty",
    Reason.NO_HUMAN_MESSAGE: "no message has the role user",
    Reason.UNKNOWN_ROLE: "a message has a role other than user, assistant, system or tool",
    Reason.INVALID_MESSAGE: "a message is not an object, or its content is neither text nor blocks",
    Reason.INVALID_TREE: "the messages form no tree: one is its own ancestor, or the one last shown is missing",
    Reason.INVALID_ROW: "the row has other cells than the header says, or its quotes do not close",
    Reason.CONFLICT: "the same conversation_id came before with other messages, another user or another start",
    Reason.TOO_LONG_LINE: "the line is longer than a conversation can be",
    Reason.TRUNCATED_FILE: "the file ends too early; what came before was read",
    Reason.DAMAGED_FILE: "the file is damaged in the middle; what came before was read",
    Reason.UNREADABLE_FILE: "the file cannot be opened, or is not what its first bytes say",
}


class Left(StrEnum):
    """What a format holds beside the conversation as it was last shown. Counted, so that nothing goes silently."""

    OTHER_BRANCHES = "other_branches"
    JOINED_RECORDS = "joined_records"
    INNER_STEPS = "inner_steps"


LEFT_DESCRIPTIONS: dict[Left, str] = {
    Left.OTHER_BRANCHES: "messages of other branches (edits, new attempts, choices): the path last shown was kept",
    Left.JOINED_RECORDS: "records joined to the conversation that they continue",
    Left.INNER_STEPS: "steps inside a trace (spans, tool runs): its outermost step was kept",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A conversation read. `assumed_utc`: its start had no time zone. `original`: the record as it came.

    left_out: how much of what the record holds beside the conversation was left out. began_earlier: its start is that
    of a record that goes on with what was said before it; what an earlier file says of the start is better. Text is
    kept out of the repr: it may end up in a log.
    """

    conversation: Conversation = field(repr=False)
    assumed_utc: bool
    line_number: int = 0
    original: bytes = field(default=b"", repr=False)
    left_out: Mapping[Left, int] = field(default_factory=dict)
    began_earlier: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record refused. `original` may be shortened: `n_bytes` is its whole length. Line 0: the file itself."""

    reason: Reason
    line_number: int = 0
    original: bytes = field(default=b"", repr=False)
    n_bytes: int = 0


class Refusal(Exception):
    """Raised while a record is read; carries the reason alone, never a value of the record."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
