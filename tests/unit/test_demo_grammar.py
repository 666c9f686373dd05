"""The sentence grammar and the phrase banks of the demo world."""

from random import Random

import pytest

from dagster_project.demo import study_design as design
from dagster_project.demo.bank import Banks, Paired, choose_slots, load_banks
from dagster_project.demo.grammar import Deck, GrammarError, Typing, expand, slots_of, tidy, type_out
from dagster_project.demo.script import LEVELS
from dagster_project.domain.study import AFFECTIVE_TYPES, ROLEPLAY_TYPES, SENTIMENT_LEVELS, TALK_TYPES

QUIET = Typing(lower_case=False, drops_full_stop=False, typo_rate=0.0, shortens=False, emoji_rate=0.0, greets=False)


def test_nested_alternatives_and_slots_expand_to_one_clean_sentence() -> None:
    """Braces or double spaces left in a message would make the demo look broken."""
    said = {expand("{so|well, {hm|<who>}} ,i {left|stayed} .", {"who": "my aunt"}, Random(i)) for i in range(60)}
    assert said == {
        f"{start},I {verb}." for start in ("So", "Well, hm", "Well, my aunt") for verb in ("left", "stayed")
    }


@pytest.mark.parametrize("template", ["hello <nobody>", "{open", "shut}"])
def test_a_broken_template_is_refused_and_not_said(template: str) -> None:
    """A half-expanded template would reach the report's readers as a person's words."""
    with pytest.raises(GrammarError):
        expand(template, {}, Random(0))


def test_lines_of_lists_keep_their_line_ends() -> None:
    """A list run together would not read like an assistant's."""
    assert tidy("two things: \n- first , this \n- then that") == "Two things:\n- First, this\n- Then that"


def test_typing_changes_letters_but_never_the_sense_of_an_emoji() -> None:
    """A smile on a desperate message would make the saved sentiment false."""
    happy = Typing(lower_case=True, drops_full_stop=True, typo_rate=0.0, shortens=False, emoji_rate=1.0, greets=False)
    assert type_out("All is lost.", -1.0, happy, Random(0)) == "all is lost 😭"
    assert type_out("Nothing to add.", 0.0, happy, Random(0)) == "nothing to add"
    assert type_out("Stay as it is.", 0.5, QUIET, Random(0)) == "Stay as it is."


def test_typos_leave_short_words_alone() -> None:
    """'no' turned into 'on' would change what the person says."""
    slips = Typing(lower_case=False, drops_full_stop=False, typo_rate=1.0, shortens=False, emoji_rate=0.0, greets=False)
    typed = type_out("No, I am not so sad", None, slips, Random(3))
    assert typed == "No, I am not so sad"
    assert type_out("wonderful", None, slips, Random(3)) != "wonderful"


def test_a_deck_says_every_line_before_it_repeats_one() -> None:
    """The same sentence twice in one talk is the mark of a machine."""
    deck, lines = Deck(Random(1)), ("a", "b", "c")
    assert {deck.draw(lines) for _ in lines} == set(lines)
    assert deck.draw(lines) in lines


def test_levels_are_those_of_the_study() -> None:
    """A level that the study does not know would be dropped from the figures in silence."""
    assert set(LEVELS) == set(SENTIMENT_LEVELS)
    assert [SENTIMENT_LEVELS[level] for level in LEVELS] == sorted(SENTIMENT_LEVELS.values())


def test_the_design_is_of_one_piece() -> None:
    """Shares that do not add up, or a type without a rate, would make the stated truth untrue."""
    assert sum(design.SHARES.values()) == pytest.approx(1.0)
    assert sum(design.HUMAN_MESSAGES.values()) == pytest.approx(1.0)
    assert set(AFFECTIVE_TYPES) < set(design.SHARES)
    for table in (design.PUSHBACK_RATES, design.PUSHBACK_KINDS, design.MOOD_START, design.MOOD_CHANGE):
        assert set(table) == set(TALK_TYPES)
    for kinds in design.PUSHBACK_KINDS.values():
        assert sum(kinds.values()) == pytest.approx(1.0)


def _all_templates(banks: Banks) -> list[tuple[str, set[str], str]]:
    """Every template with the slots that it may use and where it stands."""
    common = {name for names, _ in banks.common for name in names}
    found: list[tuple[str, set[str], str]] = []
    for bank in banks.talks.values():
        shared_slots = set.intersection(*({n for names, _ in t.slots for n in names} for t in bank.topics)) | common
        shared = [*bank.bridge, *bank.wrap, *bank.bye, *bank.aside]
        for part in (bank.voice.feel, bank.voice.close, bank.voice.ack):
            shared += [line for lines in part.values() for line in lines]
        for event in bank.events:
            shared += [*event.trigger, *(line for _, line in (*event.reply, *event.after))]
        for beat in bank.beats:
            shared += [*beat.ask, *(line for _, line in (*beat.say, *beat.tip))]
        found += [(line, shared_slots, bank.affective_type) for line in shared]
        for topic in bank.topics:
            own = [*topic.open, *topic.more, *topic.want, *topic.first, *topic.wrap, *topic.bye]
            for part in (topic.voice.feel, topic.voice.close, topic.voice.ack):
                own += [line for lines in part.values() for line in lines]
            for beat in topic.beats:
                own += [*beat.ask, *(line for _, line in (*beat.say, *beat.tip))]
            slots = {n for names, _ in topic.slots for n in names} | common
            found += [(line, slots, topic.slug) for line in own]
    for scene in banks.scenes:
        slots = {n for names, _ in scene.slots for n in names} | common
        found += [(line, slots, scene.slug) for say, reply in scene.turns for line in (*say, *reply)]
    for subject in banks.subjects:
        slots = {n for names, _ in subject.slots for n in names} | common
        pairs = ((subject.say, subject.reply), *subject.more)
        found += [(line, slots, subject.slug) for say, reply in pairs for line in (*say, *(t for _, t in reply))]
    return found


def test_every_template_expands_with_the_slots_of_its_place() -> None:
    """One misspelt slot would stop `make demo` at some seed."""
    for template, slots, where in _all_templates(load_banks()):
        assert slots_of(template) <= slots, (where, template)
        filled = dict.fromkeys(slots, "x")
        assert "{" not in expand(template, filled, Random(0)), (where, template)


def _dead_ends(pairs: Paired, n_before: int) -> list[int]:
    numbers = range(1, n_before + 1)
    return [n for n in numbers if not any(not fits or n in fits for fits, _ in pairs)] + [
        n for fits, _ in pairs for n in fits if n not in numbers
    ]


def test_every_answer_has_a_reply_that_goes_with_it() -> None:
    """A question without a fitting answer would stop the world, or make a talk incoherent."""
    banks = load_banks()
    for bank in banks.talks.values():
        for beat in (*bank.beats, *(b for topic in bank.topics for b in topic.beats)):
            assert not _dead_ends(beat.say, len(beat.ask)), beat.ask[0]
            assert not _dead_ends(beat.tip, len(beat.say)), beat.ask[0]
        for event in bank.events:
            assert not _dead_ends(event.reply, len(event.trigger)), event.trigger[0]
            assert not _dead_ends(event.after, len(event.trigger)), event.trigger[0]
    for subject in banks.subjects:
        for say, reply in ((subject.say, subject.reply), *subject.more):
            assert not _dead_ends(reply, len(say)), subject.slug


def test_each_type_has_its_topics_voices_and_kinds_of_pushback() -> None:
    """A level without a voice would be silently neutral; a kind without words would never happen."""
    for affective_type, bank in load_banks().talks.items():
        assert 5 <= len(bank.topics) <= 9, affective_type
        assert {event.kind for event in bank.events} == set(design.PUSHBACK_KINDS[affective_type])
        for voice in (bank.voice, *(t.voice for t in bank.topics if t.alone)):
            assert set(voice.feel) == set(LEVELS) - {"neutral"}
            assert set(voice.close) == set(LEVELS)
            assert set(voice.ack) == {"low", "mid", "high"}
    assert {t for scene in load_banks().scenes for t in scene.affective_types} == set(ROLEPLAY_TYPES)


def test_slots_that_belong_together_are_chosen_together() -> None:
    """'my husband' with 'her' would be gibberish."""
    topic = load_banks().talks["interpersonal_advice"].topics[0]
    for seed in range(40):
        slots = choose_slots(topic.slots, Random(seed))
        assert slots["them"] == {"he": "him", "she": "her"}[slots["they"]]
