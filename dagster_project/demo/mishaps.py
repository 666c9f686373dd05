"""What goes wrong with chat logs, put into the demo world on purpose, each with the reason it has to be counted under.

Lives here: broken lines. The names of the reasons are those of the quarantine. Not here: late, grown and doubled
conversations (`world.py`).
"""

import json
from collections.abc import Mapping

_MESSAGES = [
    {"role": "user", "content": "A line of the demo world that is broken on purpose."},
    {"role": "assistant", "content": "So that ingestion has something to refuse."},
]
_START = "2026-10-12T09:30:00Z"


def broken_lines() -> list[tuple[str, bytes]]:
    """Lines that cannot be used, each with its reason, in an order of their own."""
    return [
        ("invalid_json", b'{"conversation_id": "demo-broken-01", "messages": ['),
        ("invalid_json", b"2026-10-12 09:30 user: a line of some other log"),
        ("not_an_object", b'["demo-broken-03", "a list is no conversation"]'),
        ("missing_time", _line(4, started_at=None)),
        ("unreadable_time", _line(5, started_at="last Tuesday, about nine")),
        ("implausible_date", _line(6, started_at="1970-01-01T00:00:00Z")),
        ("implausible_date", _line(7, started_at="2093-10-12T09:30:00Z")),
        ("unknown_role", _line(8, messages=[*_MESSAGES, {"role": "narrator", "content": "Meanwhile."}])),
        ("no_messages", _line(9, messages=[])),
        ("no_human_message", _line(10, messages=_MESSAGES[1:])),
        ("invalid_message", _line(11, messages=[{"role": "user", "content": 12}])),
        ("missing_id", _line(12, conversation_id="")),
        ("invalid_utf8", _line(13).replace(b"purpose", b"purp\xff\xfese")),
    ]


def conflicting(record: Mapping[str, object]) -> tuple[str, bytes]:
    """A line with the id of another conversation and other words: the first one stays, this one is refused."""
    return "conflict", to_line({**record, "messages": _MESSAGES})


def to_line(record: Mapping[str, object]) -> bytes:
    """One JSON line without its line feed."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _line(number: int, **changes: object) -> bytes:
    record: dict[str, object] = {
        "conversation_id": f"demo-broken-{number:02d}",
        "user_id": "demo-user-broken",
        "started_at": _START,
        "surface": "synthetic-demo",
        "messages": _MESSAGES,
    }
    return to_line({**record, **changes})
