"""Reads the phrase banks of the demo world: `scripts/*.yaml`, every line of a block one template.

Lives here: the shape of a bank and its loader. Not here: expansion (`grammar.py`), conversations (`talk.py`,
`scenes.py`, `everyday.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

SCRIPTS = Path(__file__).parent / "scripts"
Lines = tuple[str, ...]
Paired = tuple[tuple[frozenset[int], str], ...]
"""Lines, each with the numbers (from 1) of the lines before it that it goes with; none: with all."""
SlotChoices = tuple[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]], ...]


@dataclass(frozen=True)
class Beat:
    """One exchange: what the assistant asks, what the person says to it, what the assistant makes of that.

    at: where in a talk it belongs, from 0 to 1. later: only when the two have talked a while.
    """

    ask: Lines
    say: Paired
    tip: Paired
    at: float
    later: bool


@dataclass(frozen=True)
class Event:
    """A pushback: what sets it off, the assistant's words, how the person goes on. low: only a low mood says so."""

    kind: str
    trigger: Lines
    reply: Paired
    after: Paired
    topics: Lines = ()
    low: bool = False


@dataclass(frozen=True)
class Voice:
    """Lines by mood. feel, close: by sentiment level; ack: low, mid, high."""

    feel: Mapping[str, Lines] = field(default_factory=dict)
    close: Mapping[str, Lines] = field(default_factory=dict)
    ack: Mapping[str, Lines] = field(default_factory=dict)


@dataclass(frozen=True)
class Topic:
    """What a talk is about.

    size: its weight among the type's topics. mood: added to the type's. open_levels: the lowest and the highest
    sentiment that its openings can carry. alone: it has a voice of its own, and nothing of the type's is mixed in.
    """

    slug: str
    size: float
    slots: SlotChoices
    open: Lines
    more: Lines
    want: Lines
    first: Lines
    beats: tuple[Beat, ...]
    voice: Voice
    wrap: Lines
    bye: Lines
    mood: float
    open_levels: tuple[str, str]
    alone: bool


@dataclass(frozen=True)
class TypeBank:
    """Everything that talks of one affective type are made of. light: its tips jest, and spare the desperate."""

    affective_type: str
    light: bool
    voice: Voice
    bridge: Lines
    wrap: Lines
    bye: Lines
    aside: Lines
    beats: tuple[Beat, ...]
    events: tuple[Event, ...]
    topics: tuple[Topic, ...]


@dataclass(frozen=True)
class Scene:
    """A roleplay in turns: the person's and the assistant's lines, in order."""

    slug: str
    size: float
    affective_types: Lines
    slots: SlotChoices
    turns: tuple[tuple[Lines, Lines], ...]


@dataclass(frozen=True)
class Subject:
    """A conversation that is not affective: a request, its reply, and what may follow."""

    slug: str
    size: float
    content_creation: bool
    scenario: str
    level: str
    slots: SlotChoices
    say: Lines
    reply: Paired
    more: tuple[tuple[Lines, Paired], ...]
    tool: str | None = None


@dataclass(frozen=True)
class Foreign:
    """A short conversation in another language, turn by turn, with its truth."""

    slug: str
    content_creation: bool
    affective_types: Lines
    slots: SlotChoices
    turns: tuple[tuple[str, Lines, Lines], ...]


@dataclass(frozen=True)
class Banks:
    """All phrase banks."""

    common: SlotChoices
    greetings: Lines
    tails: Lines
    thanks: tuple[tuple[Lines, Paired], ...]
    system: Lines
    talks: Mapping[str, TypeBank]
    scenes: tuple[Scene, ...]
    subjects: tuple[Subject, ...]
    foreign: tuple[Foreign, ...]


@cache
def load_banks() -> Banks:
    """Every shipped bank, read once when first asked for. Raises KeyError where a part is missing."""
    common = _read("common")
    talks = [_type_bank(_read(name)) for name in ("interpersonal", "coaching", "counseling", "companionship")]
    return Banks(
        common=_slots(common["slots"]),
        greetings=_lines(common["greetings"]),
        tails=_lines(common["tails"]),
        thanks=tuple((_lines(t["say"]), _paired(t["reply"])) for t in common["thanks"]),
        system=_lines(common["system"]),
        talks={bank.affective_type: bank for bank in talks},
        scenes=tuple(_scene(s) for s in _read("roleplay")["scenes"]),
        subjects=(
            *(_subject(s, content_creation=False) for s in _read("everyday")["subjects"]),
            *(_subject(s, content_creation=True) for s in _read("creation")["subjects"]),
        ),
        foreign=tuple(_foreign(f) for f in _read("foreign")["conversations"]),
    )


def choose_slots(choices: SlotChoices, rng: Random) -> dict[str, str]:
    """One value a slot; slots written together ("who / they") are chosen together."""
    chosen: dict[str, str] = {}
    for names, rows in choices:
        chosen.update(zip(names, rng.choice(rows), strict=True))
    return chosen


def going_with(pairs: Paired, number: int) -> list[str]:
    """The lines that go with line `number` of the part before."""
    return [line for fits, line in pairs if not fits or number in fits]


def _read(name: str) -> Any:
    import yaml

    return yaml.load(
        (SCRIPTS / f"{name}.yaml").read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )


def _lines(block: str | None) -> Lines:
    return tuple(line.strip() for line in (block or "").splitlines() if line.strip())


def _paired(block: str) -> Paired:
    """Lines that may begin with `@12 `: goes with the first and second line of the part before."""
    pairs = []
    for line in _lines(block):
        tag, _, text = line.partition(" ") if line.startswith("@") else ("", "", line)
        pairs.append((frozenset(int(digit) for digit in tag[1:]), text))
    return tuple(pairs)


def _slots(raw: Mapping[str, str | Sequence[str]] | None) -> SlotChoices:
    """Slots by name; values as a block of lines or separated by semicolons, several names by slashes."""
    found = []
    for key, block in (raw or {}).items():
        names = tuple(n.strip() for n in key.split("/"))
        text = block if isinstance(block, str) else "\n".join(block)
        parts = [p.strip() for p in (text.splitlines() if "\n" in text.strip() else text.split(";")) if p.strip()]
        rows = tuple(tuple(v.strip() for v in p.split(" / ")) if len(names) > 1 else (p,) for p in parts)
        if any(len(row) != len(names) for row in rows):
            raise ValueError(f"slot {key!r}: every value needs {len(names)} parts")
        found.append((names, rows))
    return tuple(found)


def _beat(raw: Mapping[str, Any], at: float) -> Beat:
    return Beat(
        _lines(raw["ask"]), _paired(raw["say"]), _paired(raw["tip"]), raw.get("at", at), raw.get("later", False)
    )


def _voice(raw: Mapping[str, Any]) -> Voice:
    return Voice(*({k: _lines(v) for k, v in raw.get(part, {}).items()} for part in ("feel", "close", "ack")))


def _topic(raw: Mapping[str, Any], open_levels: Sequence[str]) -> Topic:
    lowest, highest = raw.get("open_levels", open_levels)
    n = len(raw["beats"])
    return Topic(
        slug=raw["slug"],
        size=raw["size"],
        slots=_slots(raw.get("slots")),
        open=_lines(raw["open"]),
        more=_lines(raw["more"]),
        want=_lines(raw["want"]),
        first=_lines(raw["first"]),
        beats=tuple(_beat(b, (i + 0.5) / n) for i, b in enumerate(raw["beats"])),
        voice=_voice(raw),
        wrap=_lines(raw.get("wrap")),
        bye=_lines(raw.get("bye")),
        mood=raw.get("mood", 0.0),
        open_levels=(lowest, highest),
        alone=raw.get("alone", False),
    )


def _event(raw: Mapping[str, Any]) -> Event:
    return Event(
        kind=raw["kind"],
        trigger=_lines(raw["trigger"]),
        reply=_paired(raw["reply"]),
        after=_paired(raw["after"]),
        topics=tuple(raw.get("topics", ())),
        low=raw.get("low", False),
    )


def _type_bank(raw: Mapping[str, Any]) -> TypeBank:
    return TypeBank(
        affective_type=raw["affective_type"],
        light=raw.get("light", False),
        voice=_voice(raw),
        bridge=_lines(raw["bridge"]),
        wrap=_lines(raw["wrap"]),
        bye=_lines(raw["bye"]),
        aside=_lines(raw["aside"]),
        beats=tuple(_beat(b, 0.5) for b in raw.get("beats", ())),
        events=tuple(_event(e) for e in raw["pushback"]),
        topics=tuple(_topic(t, raw.get("open_levels", ("very_negative", "very_positive"))) for t in raw["topics"]),
    )


def _scene(raw: Mapping[str, Any]) -> Scene:
    turns = tuple((_lines(t["say"]), _lines(t["reply"])) for t in raw["turns"])
    return Scene(raw["slug"], raw["size"], tuple(raw["types"]), _slots(raw.get("slots")), turns)


def _subject(raw: Mapping[str, Any], content_creation: bool) -> Subject:
    return Subject(
        slug=raw["slug"],
        size=raw.get("size", 1.0),
        content_creation=content_creation,
        scenario=raw.get("scenario", "content_creation" if content_creation else "everyday"),
        level=raw.get("level", "neutral"),
        slots=_slots(raw.get("slots")),
        say=_lines(raw["say"]),
        reply=_paired(raw["reply"]),
        more=tuple((_lines(m["say"]), _paired(m["reply"])) for m in raw.get("more", ())),
        tool=raw.get("tool"),
    )


def _foreign(raw: Mapping[str, Any]) -> Foreign:
    turns = tuple((t["level"], _lines(t["say"]), _lines(t["reply"])) for t in raw["turns"])
    return Foreign(
        raw["slug"], raw.get("content_creation", False), tuple(raw.get("types", ())), _slots(raw.get("slots")), turns
    )
