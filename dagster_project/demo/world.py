"""Writes the demo world: chat logs in the canonical form, late and broken ones among them, and the truth.

Lives here: who writes what and when, and the files. Equal arguments give equal bytes. Not here: what is said
(`talk.py`, `scenes.py`, `everyday.py`), the constants (`study_design.py`), ingestion.
"""

import gzip
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random

from dagster_project.demo import study_design as design
from dagster_project.demo.bank import Banks, load_banks
from dagster_project.demo.everyday import write_everyday, write_foreign
from dagster_project.demo.grammar import expand, type_out
from dagster_project.demo.mishaps import broken_lines, conflicting, to_line
from dagster_project.demo.people import Person, invent_people
from dagster_project.demo.scenes import write_scene
from dagster_project.demo.script import Script, Turn
from dagster_project.demo.talk import write_talk
from dagster_project.demo.truth import Truth, write_truth
from dagster_project.domain.conversations import Role
from dagster_project.domain.study import ROLEPLAY_TYPES, SENTIMENT_LEVELS, TALK_TYPES

SURFACE = "synthetic-demo"
_FORTNIGHTS = 4
_GREETING_RATE = 0.5


@dataclass(frozen=True)
class WorldSummary:
    """What was written. `files` in the order to ingest them; the counts are those that ingestion has to report."""

    files: tuple[Path, ...]
    truth: Path
    conversations: int
    users: int
    human_messages: int
    first_day: date
    last_day: date
    accepted: int
    duplicates: int
    replaced: int
    quarantined: dict[str, int]
    assumed_utc: int
    without_user_id: int


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """One conversation with its truth and its record as it is in the end."""

    truth: Truth
    record: dict[str, object]
    started_at: datetime

    @property
    def line(self) -> bytes:
        return to_line(self.record)


def write_world(folder: Path, seed: int = design.SEED, conversations: int = design.CONVERSATIONS) -> WorldSummary:
    """Write the demo world into a folder: world-1..4.jsonl.gz by fortnight, late.jsonl, truth.parquet.

    conversations: how many there are in the end, at least 300. Raises ValueError below that, OSError.
    """
    if conversations < 300:
        raise ValueError("the demo world needs at least 300 conversations")
    folder.mkdir(parents=True, exist_ok=True)
    world = _write_all(seed, conversations)
    rng, share = Random(f"{seed}/files"), conversations / design.CONVERSATIONS
    late, grown, again = _set_apart(world, rng, share)
    lines: list[list[bytes]] = [[] for _ in range(_FORTNIGHTS)]
    apart = {w.truth.conversation_id for w in late}
    for written in world:
        if written.truth.conversation_id not in apart:
            first = _beginning_of(written) if written in grown else written.line
            lines[(written.truth.day - design.WINDOW_START).days // 14].append(first)
    refused = [*broken_lines(), conflicting(again[0].record), conflicting(again[1].record)]
    _scatter(lines, [line for reason, line in refused if reason != "conflict"], rng)
    after = [w.line for w in (*late, *grown, *again)]
    rng.shuffle(after)
    after += [line for reason, line in refused if reason == "conflict"]
    files = [folder / f"world-{i + 1}.jsonl.gz" for i in range(_FORTNIGHTS)]
    for path, part in zip(files, lines, strict=True):
        path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in part), compresslevel=6, mtime=0))
    files.append(folder / "late.jsonl")
    files[-1].write_bytes(b"".join(line + b"\n" for line in after))
    truth = folder / "truth.parquet"
    write_truth(truth, (w.truth for w in world))
    return _summary(files, truth, world, [reason for reason, _ in refused], (grown, again))


def _write_all(seed: int, conversations: int) -> list[_Written]:
    """Every conversation, ordered by its start."""
    banks = load_banks()
    people = invent_people(round(conversations / design.CONVERSATIONS_PER_PERSON), seed)
    rng = Random(f"{seed}/authors")
    kinds = rng.choices(list(design.SHARES), list(design.SHARES.values()), k=conversations)
    weights = {k: list(accumulate(p.activity * p.tastes[k] for p in people)) for k in design.SHARES}
    authors = [rng.choices(people, cum_weights=weights[kind])[0] for kind in kinds]
    scale = conversations / design.CONVERSATIONS
    order = list(range(conversations))
    rng.shuffle(order)
    no_user = frozenset(order[: round(design.NO_USER * scale)])
    no_zone = frozenset(order[-round(design.NO_TIME_ZONE * scale) :])
    starts = [_start(person, rng) for person in authors]
    world = []
    for i, (number, person, start) in enumerate(zip(order, authors, starts, strict=True)):
        own = Random(f"{seed}/conversation/{i}")
        script = _script(banks, kinds[i], own)
        _type_it(script, person, banks, own)
        world.append(_finish(f"demo-{number:05d}", script, person, start, i in no_user, i in no_zone, own))
    return sorted(world, key=lambda w: (w.started_at, w.truth.conversation_id))


def _script(banks: Banks, kind: str, rng: Random) -> Script:
    if kind in TALK_TYPES:
        return write_talk(banks, kind, rng)
    if kind in ROLEPLAY_TYPES:
        return write_scene(banks, kind, rng)
    if kind == "foreign":
        return write_foreign(banks, rng)
    return write_everyday(banks, kind == "content_creation", rng)


def _type_it(script: Script, person: Person, banks: Banks, rng: Random) -> None:
    """The person's way of typing over their messages; a system prompt before some conversations."""
    foreign = script.scenario == "foreign"
    for i, turn in enumerate(t for t in script.turns if t.role is Role.USER):
        if i == 0 and person.typing.greets and not foreign and rng.random() < _GREETING_RATE:
            greeting, stop = rng.choice(banks.greetings), rng.choice((", ", "! ", ". "))
            said = turn.text if stop != ", " or turn.text.startswith(("I ", "I'")) else _uncapitalised(turn.text)
            turn.text = f"{_capitalised(greeting)}{stop}{said}"
        if not foreign:
            turn.text = type_out(turn.text, SENTIMENT_LEVELS[turn.level or "neutral"], person.typing, rng)
    if rng.random() < design.SYSTEM_RATE:
        script.turns.insert(0, Turn(Role.SYSTEM, expand(rng.choice(banks.system), {}, rng)))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]


def _start(person: Person, rng: Random) -> datetime:
    """When a conversation begins: a day by its weekday's weight, an hour around the person's own, UTC."""
    days = range(design.WINDOW_DAYS)
    day = rng.choices(days, [design.WEEKDAY_WEIGHTS[i % 7] for i in days])[0]
    hour = rng.gauss(person.hour, 2.2) % 24
    midnight = datetime.combine(design.WINDOW_START, datetime.min.time(), UTC) + timedelta(days=day)
    return midnight + timedelta(seconds=min(int(hour * 3600), 86_399))


def _finish(
    conversation_id: str, script: Script, person: Person, start: datetime, no_user: bool, no_zone: bool, rng: Random
) -> _Written:
    user_id = None if no_user else person.user_id
    with_times = rng.random() >= design.NO_MESSAGE_TIMES_RATE
    at, messages = start, []
    for turn in script.turns:
        created = at.isoformat().replace("+00:00", "Z") if with_times else None
        messages.append({"role": turn.role.value, "content": turn.text, "created_at": created})
        at += timedelta(seconds=rng.randint(4, 20) if turn.role is Role.USER else rng.randint(25, 260))
    started = start.replace(tzinfo=None).isoformat() if no_zone else start.isoformat().replace("+00:00", "Z")
    record: dict[str, object] = {
        "conversation_id": conversation_id,
        "user_id": user_id,
        "started_at": started,
        "surface": SURFACE,
        "messages": messages,
    }
    return _Written(Truth(conversation_id, start.date(), user_id, script), record, start)


def _set_apart(
    world: Sequence[_Written], rng: Random, share: float
) -> tuple[list[_Written], list[_Written], list[_Written]]:
    """Conversations that arrive late, that come a second time and longer, and that come twice alike."""
    n_late, n_grown, n_again = (max(3, round(n * share)) for n in (design.LATE, design.GROWN, design.DUPLICATES))
    last = design.WINDOW_START + timedelta(days=design.WINDOW_DAYS - 7)
    late = rng.sample([w for w in world if w.truth.day < last], n_late)
    rest = [w for w in world if w not in late]
    grown = rng.sample([w for w in rest if len(w.truth.script.turns) >= 6], n_grown)
    return late, grown, rng.sample([w for w in rest if w not in grown], n_again)


def _beginning_of(written: _Written) -> bytes:
    """The conversation as it was when it was logged the first time: its last exchange was still to come."""
    messages = written.record["messages"]
    assert isinstance(messages, list)
    return to_line({**written.record, "messages": messages[:-2]})


def _scatter(parts: Sequence[list[bytes]], lines: Iterable[bytes], rng: Random) -> None:
    for line in lines:
        part = rng.choice(parts)
        part.insert(rng.randrange(len(part)), line)


def _summary(
    files: Sequence[Path],
    truth: Path,
    world: Sequence[_Written],
    reasons: Iterable[str],
    doubled: tuple[Sequence[_Written], Sequence[_Written]],
) -> WorldSummary:
    grown, again = doubled
    lines = [*world, *grown, *again]
    return WorldSummary(
        files=tuple(files),
        truth=truth,
        conversations=len(world),
        users=len({w.truth.user_id for w in world if w.truth.user_id is not None}),
        human_messages=sum(t.role is Role.USER for w in world for t in w.truth.script.turns),
        first_day=min(w.truth.day for w in world),
        last_day=max(w.truth.day for w in world),
        accepted=len(world),
        duplicates=len(again),
        replaced=len(grown),
        quarantined=dict(sorted(Counter(reasons).items())),
        assumed_utc=sum("Z" not in str(w.record["started_at"]) for w in lines),
        without_user_id=sum(w.record["user_id"] is None for w in lines),
    )
