"""Writes what is not affective: requests for content, questions, small talk; and a few in other languages.

Not here: the lines (`scripts/everyday.yaml`, `scripts/creation.yaml`, `scripts/foreign.yaml`).
"""

from collections.abc import Mapping
from random import Random

from dagster_project.demo.bank import Banks, Lines, Paired, choose_slots, going_with
from dagster_project.demo.grammar import Deck, expand
from dagster_project.demo.script import Script, Turn
from dagster_project.domain.conversations import Role

_SECOND_REQUEST_RATE = 0.22
_MORE_RATE = 0.30
_THANKS_RATE = 0.16
_TAIL_RATE = 0.40


def write_everyday(banks: Banks, content_creation: bool, rng: Random) -> Script:
    """One request and its reply, sometimes a further wish and thanks: one to three human messages."""
    subjects = [s for s in banks.subjects if s.content_creation is content_creation]
    subject = rng.choices(subjects, [s.size for s in subjects])[0]
    slots = {**choose_slots(banks.common, rng), **choose_slots(subject.slots, rng)}
    script, deck = (
        Script(topics=(subject.slug,), content_creation=content_creation, scenario=subject.scenario),
        Deck(rng),
    )
    _exchange(script, (subject.say, subject.reply), slots, subject.level, deck, rng)
    if rng.random() < _TAIL_RATE:
        script.turns[0].text += f" {expand(rng.choice(banks.tails), slots, rng)}"
    if subject.tool is not None:
        script.turns.insert(1, Turn(Role.TOOL, subject.tool))
    if subject.more and rng.random() < _MORE_RATE:
        _exchange(script, rng.choice(subject.more), slots, "neutral", deck, rng)
    elif rng.random() < _SECOND_REQUEST_RATE:
        again = {**slots, **choose_slots(subject.slots, rng)}
        _exchange(script, (subject.say, subject.reply), again, subject.level, deck, rng)
    if rng.random() < _THANKS_RATE:
        _exchange(script, rng.choice(banks.thanks), slots, "positive", deck, rng)
    return script


def _exchange(
    script: Script, pair: tuple[Lines, Paired], slots: Mapping[str, str], level: str, deck: Deck, rng: Random
) -> None:
    say, replies = pair
    line = deck.draw(say)
    script.human(expand(line, slots, rng), level)
    script.assistant(expand(deck.draw(going_with(replies, say.index(line) + 1)), slots, rng))


def write_foreign(banks: Banks, rng: Random) -> Script:
    """One of the conversations that are not in English."""
    chosen = rng.choice(banks.foreign)
    slots = {**choose_slots(banks.common, rng), **choose_slots(chosen.slots, rng)}
    script = Script(
        types=chosen.affective_types,
        topics=(chosen.slug,) * max(len(chosen.affective_types), 1),
        content_creation=chosen.content_creation,
        scenario="foreign",
    )
    for level, say, reply in chosen.turns:
        script.human(expand(rng.choice(say), slots, rng), level)
        script.assistant(expand(rng.choice(reply), slots, rng))
    return script
