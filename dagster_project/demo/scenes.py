"""Writes roleplay scenes between adults: lines in order, as far as the conversation goes.

Not here: the lines (`scripts/roleplay.yaml`).
"""

from random import Random

from dagster_project.demo import study_design as design
from dagster_project.demo.bank import Banks, choose_slots
from dagster_project.demo.grammar import expand
from dagster_project.demo.script import Script


def write_scene(banks: Banks, affective_type: str, rng: Random) -> Script:
    """One scene that has the type (some have both). A share ends before the study's four human messages."""
    scenes = [s for s in banks.scenes if affective_type in s.affective_types]
    # A scene of both types is drawn as sexual roleplay, so that each type has the share it is given.
    if affective_type == "romantic_roleplay":
        scenes = [s for s in scenes if s.affective_types == (affective_type,)]
    scene = rng.choices(scenes, [s.size for s in scenes])[0]
    slots = {**choose_slots(banks.common, rng), **choose_slots(scene.slots, rng)}
    short = rng.random() < design.SHORT_SCENE_RATE
    n_human = rng.randint(2, 3) if short else rng.randint(4, len(scene.turns))
    script = Script(
        types=scene.affective_types,
        topics=(scene.slug,) * len(scene.affective_types),
        scenario="short_roleplay" if short else "roleplay",
    )
    for say, reply in scene.turns[:n_human]:
        script.human(expand(rng.choice(say), slots, rng), "positive")
        script.assistant(expand(rng.choice(reply), slots, rng))
    return script
