"""One person to be erased, among others: in every field, in several versions, refused, and sharing a content.

Not here: homes (`erasable.py`), assertions.
"""

import random
from typing import Any

from dagster_project.erasing.traces import embedded_texts
from dagster_project.home import Home
from dagster_project.storage.landing import Landing
from dagster_project.storage.pseudonyms import Pseudonyms
from tests.support.conversations import record, turns
from tests.support.erasable import OneNumber, described, every_file, versions
from tests.support.scan import found

PERSON = "person-Erzsebet-77"
CONVERSATION = "talk-Quixley-9"
SURFACE = "surface-Zorvane"
SAID = "Vellamine keeps me awake"
OTHER_SAID = "Tarkowin moved to the coast"
SHARED = turns("good evening to you", "good evening")
DAYS = ("2026-10-05", "2026-10-06", "2026-10-07", "2026-10-13")


def hers() -> list[dict[str, Any]]:
    """Her conversations: on two days, one grown, one with a content that another has too, one equal to another of hers."""
    longer = turns(f"{SAID} every night", "since when?", f"{SAID} since spring", "I see", "and now?", "rest")
    return [
        record("e1", user_id=PERSON, started_at=f"{DAYS[0]}T08:00:00Z", surface=SURFACE, messages=longer),
        record("e2", user_id=PERSON, started_at=f"{DAYS[1]}T08:00:00Z", messages=turns(f"{SAID} too", "oh")),
        record("e2", user_id=PERSON, started_at=f"{DAYS[1]}T08:00:00Z", messages=turns(f"{SAID} too", "oh", SAID)),
        record("e3", user_id=PERSON, started_at=f"{DAYS[0]}T09:00:00Z", messages=SHARED),
        record("e4", user_id=PERSON, started_at=f"{DAYS[1]}T10:00:00Z", messages=longer),
    ]


def named_conversation() -> dict[str, Any]:
    """One conversation of somebody who has others."""
    messages = turns(f"I heard that {OTHER_SAID}", "tell me more", "that is all")
    return record(CONVERSATION, user_id="w1", started_at=f"{DAYS[2]}T11:00:00Z", messages=messages)


def others() -> list[dict[str, Any]]:
    """Conversations that stay, some on her days, one with her content, one of the person with the named conversation."""
    rng = random.Random(4)
    rows = [record("v3", user_id="v", started_at=f"{DAYS[0]}T12:00:00Z", messages=SHARED)]
    rows.append(
        record("w2", user_id="w1", started_at=f"{DAYS[2]}T12:00:00Z", messages=turns("a walk in the rain", "yes"))
    )
    for i in range(24):
        messages = turns(*(f"words {rng.randrange(10**6)} of many" for _ in range(rng.randint(1, 6))))
        at = f"{DAYS[i % 4]}T{rng.randrange(24):02d}:{i:02d}:00Z"
        rows.append(record(f"o{i}", user_id=f"u{i % 9}", started_at=at, messages=messages))
    return rows


def refused() -> list[Any]:
    """Records that cannot be read, hers and another's, in several shapes."""
    return [
        record("r1", user_id=PERSON, started_at=None, messages=turns(f"refused {SAID}")),
        f'{{"user_id": "{PERSON}", "messages": "{SAID} broken'.encode() + b'"',
        {"uuid": "x", "author": {"id": PERSON}, "mapping": {"text": SAID}},
        record("e1", user_id=PERSON, started_at=f"{DAYS[0]}T08:00:00Z", messages=turns(f"conflicting {SAID}")),
        record(CONVERSATION, user_id="w1", started_at=None, messages=turns(OTHER_SAID)),
        record("r2", user_id="somebody-else", started_at=None, messages=turns("this one stays")),
    ]


def everything() -> list[Any]:
    """The whole export."""
    return [*others(), *hers(), named_conversation(), *refused()]


def traces(home: Home) -> list[str]:
    """What must not be found afterwards: ids, texts, pseudonyms, and keyed hashes that are nobody else's."""
    pseudonyms = Pseudonyms(home.key())
    keys = [pseudonyms.user(PERSON), *(pseudonyms.conversation(c) for c in ("e1", "e2", "e3", "e4", CONVERSATION))]
    gone, kept = set(), set()
    for conversation, content_hash in versions(Landing(home)):
        hashes = {content_hash, *(pseudonyms.content([text]) for text in embedded_texts(conversation))}
        (gone if conversation.conversation_id in keys else kept).update(hashes)
    return [PERSON, CONVERSATION, SURFACE, SAID, OTHER_SAID, *keys, *sorted(gone - kept)]


def vectors(home: Home) -> list[bytes]:
    """The vectors of her texts, as they are kept."""
    mine = {
        text
        for conversation, content_hash in versions(Landing(home))
        if conversation.user_id == Pseudonyms(home.key()).user(PERSON)
        for text in (*embedded_texts(conversation), described(content_hash))
    }
    return [OneNumber().embed([text])[0].astype("<f2").tobytes() for text in sorted(mine)]


def hits(home: Home, wanted: list[str], but: str = "tombstones.json") -> list[str]:
    """Where any of it is found, as text in any encoding, as bytes of a keyed hash, or as a value."""
    files = [path for path in every_file(home.root) if path.name != but]
    raw = [bytes.fromhex(one) for one in wanted if len(one) == 32 and set(one) <= set("0123456789abcdef")]
    in_bytes = [f"{path}: {one.hex()} (bytes)" for path in files for one in raw if one in path.read_bytes()]
    return found(files, wanted) + in_bytes
