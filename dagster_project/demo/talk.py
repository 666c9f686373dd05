"""Writes talks: advice, coaching, counselling and company, turn by turn, with their truth.

A talk runs along the beats of a topic: the assistant's question, the person's answer to it, the assistant's
thought on that answer, the next question. Mood lines are laid over it by sentiment level, pushback is put in
with what sets it off. Not here: the lines themselves (`scripts/`), rates (`study_design.py`).
"""

from collections.abc import Mapping, Sequence
from random import Random

from dagster_project.demo import study_design as design
from dagster_project.demo.bank import Banks, Beat, Event, Lines, Paired, Topic, TypeBank, choose_slots, going_with
from dagster_project.demo.grammar import Deck, expand, tidy
from dagster_project.demo.script import LEVELS, Script

_NUMBERS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_SAFE_FIRST = (
    "{Good|Thank you for telling me}. {That comes first|Nothing matters more}, "
    "{the rest can wait|and we go slowly from here}."
)


def write_talk(banks: Banks, affective_type: str, rng: Random) -> Script:
    """One talk of a type: a topic by its size, a length, a course of mood, perhaps pushback or a second type."""
    bank = banks.talks[affective_type]
    topic = rng.choices(bank.topics, [t.size for t in bank.topics])[0]
    wanted = rng.choices(list(design.HUMAN_MESSAGES), list(design.HUMAN_MESSAGES.values()))[0]
    n_human = min(wanted, len(topic.beats) + (0 if topic.alone else len(bank.beats)) + 2)
    second = None
    if n_human >= 6 and not topic.alone and rng.random() < design.SECOND_TYPE_RATE:
        other = banks.talks[rng.choice([t for t in banks.talks if t != affective_type])]
        second = (other, rng.choice([t for t in other.topics if not t.alone and t.slug != "dark_thoughts"]))
    writer = _Writer(banks, bank, topic, _levels(bank, topic, n_human, rng), rng)
    return writer.write(second)


def _levels(bank: TypeBank, topic: Topic, n_human: int, rng: Random) -> list[str]:
    """A sentiment level a human message: a start, a change, and noise around the line between."""
    start = rng.gauss(design.MOOD_START[bank.affective_type] + topic.mood, design.MOOD_SPREAD)
    change = rng.gauss(design.MOOD_CHANGE[bank.affective_type], design.CHANGE_SPREAD)
    levels = []
    for i in range(n_human):
        mood = start + change * (i / max(n_human - 1, 1)) + rng.gauss(0, design.MESSAGE_SPREAD)
        nearest = min(range(len(_NUMBERS)), key=lambda k: abs(_NUMBERS[k] - mood))
        levels.append(LEVELS[nearest])
    lowest, highest = (LEVELS.index(level) for level in topic.open_levels)
    levels[0] = LEVELS[min(max(LEVELS.index(levels[0]), lowest), highest)]
    return levels


def _plan_pushback(bank: TypeBank, topic: Topic, n_turns: int, rng: Random) -> dict[int, Event]:
    """Pushback by index of the human message that it answers, among the first `n_turns`; most talks have none."""
    found: dict[int, Event] = {}
    if topic.slug == "dark_thoughts":
        if rng.random() < design.DARK_THOUGHTS_SAFETY_RATE:
            found[rng.randrange(n_turns)] = rng.choice([e for e in bank.events if e.kind == "safety"])
        return found
    if rng.random() >= design.PUSHBACK_RATES[bank.affective_type]:
        return found
    for _ in range(2 if n_turns >= 5 and rng.random() < design.SECOND_PUSHBACK_RATE else 1):
        kinds = design.PUSHBACK_KINDS[bank.affective_type]
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        fitting = [e for e in bank.events if e.kind == kind and _fits(e, topic) and e not in found.values()]
        free = [i for i in range(n_turns) if i not in found]
        if fitting and free:
            # Assistants object later rather than sooner: by then they know what is at stake.
            found[rng.choices(free, [1 + i / 3 for i in free])[0]] = rng.choice(fitting)
    return found


def _fits(event: Event, topic: Topic) -> bool:
    return topic.slug in event.topics if event.topics else not topic.alone


class _Writer:
    """Writes one talk. Keeps what was said, so that no line comes twice."""

    def __init__(self, banks: Banks, bank: TypeBank, topic: Topic, levels: list[str], rng: Random) -> None:
        self._bank, self._topic, self._levels, self._rng = bank, topic, levels, rng
        self._deck = Deck(rng)
        self._slots = {**choose_slots(banks.common, rng), **choose_slots(topic.slots, rng)}
        self._style = rng.choice(("warm", "warm", "brief", "plain", "points"))

    def write(self, second: tuple[TypeBank, Topic] | None) -> Script:
        """The talk; with `second` it turns to that matter after some exchanges."""
        n, topic = len(self._levels), self._topic
        script = Script(types=(self._bank.affective_type,), topics=(topic.slug,))
        shared = 0 if topic.alone else len(self._bank.beats)
        closing = n >= 3 and (n - 1 > len(topic.beats) + shared or self._rng.random() < 0.8)
        turn_at = self._rng.randrange(3, n - 2) if second is not None else n
        beats = self._beats(n - 1 - closing)
        events = _plan_pushback(self._bank, topic, min(n - closing, turn_at), self._rng)
        asked: tuple[Beat, int] | None = None
        before: tuple[Event, int] | None = None
        for i in range(n):
            event, last = events.get(i), i == n - 1
            level = self._settled_level(i, event)
            opener = self._matching(before[0].after, before[1])[0] if before is not None else ""
            tip: Sequence[str] = ()
            if i == 0:
                text, tip = self._opening(level), self._topic.first
            elif i == turn_at and second is not None:
                text, tip = self._turn_to(*second, script, level), self._topic.first
                beats = self._beats(n - 1 - closing - i)
            elif last and closing:
                text = self._mood_line("close", level)
            elif asked is not None:
                text, tip = self._answer(*asked, level)
            else:
                text = self._mood_line("feel", level)
            trigger, number = self._draw(event.trigger) if event is not None else ("", 0)
            script.human(" ".join(filter(None, (opener, text, trigger))), level)
            asked, ask = None, ""
            if not last and (event is None or event.kind != "safety"):
                if beats and i + 1 != turn_at and not (closing and i + 2 == n):
                    beat = beats.pop(0)
                    ask, asked_as = self._draw(beat.ask)
                    asked = (beat, asked_as)
                else:
                    ask = self._fill(self._topic.wrap or self._bank.wrap)
            if event is not None:
                reply = " ".join(filter(None, (self._matching(event.reply, number)[0], ask)))
            else:
                after_safety = before is not None and before[0].kind == "safety"
                reply = self._reply(level, tip, ask, last, after_safety)
            script.assistant(reply, event.kind if event is not None else None)
            before = (event, number) if event is not None else None
        return script

    def _beats(self, wanted: int) -> list[Beat]:
        """So many beats in the order of a talk, some of the type's own among those of the topic."""
        shared = [] if self._topic.alone else list(self._bank.beats)
        own = [b for b in self._topic.beats if wanted > 2 or not b.later]
        pool = [*own, *self._rng.sample(shared, k=min(len(shared), self._rng.choice((0, 1, 1, 2))))]
        extra = [b for b in shared if b not in pool]
        while len(pool) < wanted and extra:
            pool.append(extra.pop())
        chosen = pool if wanted >= len(pool) else self._rng.sample(pool, k=wanted)
        return sorted(chosen, key=lambda b: b.at)

    def _settled_level(self, i: int, event: Event | None) -> str:
        """What only a low mood says is not said in a good one."""
        if event is not None and event.low and self._levels[i] not in LEVELS[:2]:
            self._levels[i] = "negative"
        return self._levels[i]

    def _opening(self, level: str) -> str:
        parts = [self._fill(self._topic.open)]
        if self._rng.random() < 0.6:
            parts.append(self._fill(self._topic.more))
        if feeling := self._mood_line("feel", level):
            parts.insert(self._rng.randint(1, len(parts)), feeling)
        if self._rng.random() < 0.85:
            parts.append(self._fill(self._topic.want))
        return " ".join(parts)

    def _turn_to(self, bank: TypeBank, topic: Topic, script: Script, level: str) -> str:
        """The person turns to a matter of another type; from here on its lines are used."""
        bridge = self._fill(self._bank.bridge)
        self._bank, self._topic = bank, topic
        self._slots = {**self._slots, **choose_slots(topic.slots, self._rng)}
        script.types += (bank.affective_type,)
        script.topics += (topic.slug,)
        feeling = self._mood_line("feel", level)
        return " ".join(filter(None, (bridge, self._fill(topic.open), feeling, self._fill(topic.want))))

    def _answer(self, beat: Beat, asked_as: int, level: str) -> tuple[str, list[str]]:
        """What the person says to a question, and what the assistant can make of it."""
        said, number = self._matching(beat.say, asked_as)
        feeling = self._mood_line("feel", level)
        parts = (feeling, said) if self._rng.random() < 0.08 else (said, feeling)
        return " ".join(filter(None, parts)), going_with(beat.tip, number)

    def _reply(self, level: str, tip: Sequence[str], ask: str, last: bool, after_safety: bool) -> str:
        parts = []
        if after_safety:
            parts.append(expand(_SAFE_FIRST, self._slots, self._rng))
        elif not last and (self._style != "plain" or not tip or self._rng.random() < 0.4):
            parts.append(self._fill(self._voice_lines("ack", _third(level))))
        if tip and not (self._bank.light and level == LEVELS[0]):
            two = self._style == "points" and len(tip) > 1 and not last and self._rng.random() < 0.4
            parts.append(f"\n- {self._fill(tip)}\n- {self._fill(tip)}\n" if two else self._fill(tip))
        if last:
            parts.append(self._fill(self._topic.bye or self._bank.bye))
        elif self._style == "warm" and not self._topic.alone and self._rng.random() < 0.06:
            parts.append(self._fill(self._bank.aside))
        return tidy(" ".join(p for p in (*parts, ask) if p))

    def _mood_line(self, part: str, level: str) -> str:
        """A line that carries the level; neutral messages need none, closings always have theirs."""
        lines = self._voice_lines(part, level)
        return self._fill(lines) if lines else ""

    def _voice_lines(self, part: str, key: str) -> Lines:
        own: Mapping[str, Lines] = getattr(self._topic.voice, part)
        of_type: Mapping[str, Lines] = {} if self._topic.alone else getattr(self._bank.voice, part)
        return own[key] if key in own else of_type.get(key, ())

    def _fill(self, lines: Sequence[str]) -> str:
        return self._draw(lines)[0] if lines else ""

    def _draw(self, lines: Sequence[str]) -> tuple[str, int]:
        """A line as it is said, and its number among the lines, from 1."""
        line = self._deck.draw(lines)
        return expand(line, self._slots, self._rng), lines.index(line) + 1

    def _matching(self, pairs: Paired, number: int) -> tuple[str, int]:
        """A line that goes with line `number` of the part before, and its own number."""
        line = self._deck.draw(going_with(pairs, number))
        return expand(line, self._slots, self._rng), [text for _, text in pairs].index(line) + 1


def _third(level: str) -> str:
    return {"very_negative": "low", "negative": "low", "neutral": "mid"}.get(level, "high")
