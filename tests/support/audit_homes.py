"""Homes for the privacy audit: a world's whole life through the command line, labelled by a model of some character.

Lives here: the commands, in order, what they printed, and a person who labels a sample. Not here: worlds
(`audit_worlds.py`), judging (`audit_scan.py`).
"""

import csv
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from dagster_project.domain.periods import PeriodKind, period_of
from dagster_project.home import Home
from dagster_project.storage.lake import Lake
from dagster_project.workspace import Workspace
from tests.support.audit_worlds import CHANCES, FIRST, Row, World, planted
from tests.support.homes import Said, confide
from tests.support.messages_server import MessagesServer, messages_server

Character = Literal["plain", "leaky", "obedient"]
CODED = 30
"""Conversations a day that a person labels: in a week enough to correct its shares by."""
MISREAD = 9
"""The person reads one conversation of so many otherwise than it was planted."""
MODELS: tuple[Character, ...] = ("plain", "leaky", "obedient")


@dataclass
class Played:
    """A home at the end of its world. said: everything that its commands printed. seconds: by command."""

    world: World
    model: Character
    home: Path
    said: list[Said] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def told(self) -> Path:
        """Everything printed, as a file beside the home."""
        path = self.home.with_name("said.txt")
        path.write_text("\n".join(one.out + one.err for one in self.said), encoding="utf-8")
        return path


@contextmanager
def playing_server(model: Character) -> Iterator[MessagesServer]:
    """The test server with this model."""
    with messages_server(model=model, planted=planted(), chances=CHANCES) as server:
        yield server


def play(world: World, model: Character, folder: Path, briefly: bool = False) -> Played:
    """init, ingest, run, labels by a person, releases by days, weeks, months and a window, late data of too few and of
    enough people.

    briefly: days and a week in one command, and no late data.
    """
    played = Played(world, model, folder / "home")
    days = [FIRST + timedelta(i) for i in range(world.shape.days)]
    week = period_of(FIRST, PeriodKind.WEEK).key
    with playing_server(model) as server:
        env = {
            **server.environment(),
            "CONFIDE_CLASSIFIER__KIND": "claude",
            "CONFIDE_CLAUDE__TRANSPORT": "live",
            "CONFIDE_CLAUDE__REQUESTS_PER_MINUTE": "1000000",
            "CONFIDE_CLAUDE__MAX_CONCURRENCY": "16",
        }
        if model == "obedient":
            # A model that obeys answers many attacks with no answer at all: its operator has decided to go on.
            env["CONFIDE_CLAUDE__MAX_INVALID_SHARE"] = "1"

        def command(*arguments: str | Path, code: int = 0, name: str = "", **more: str) -> Said:
            began = time.monotonic()
            said = confide(played.home, *arguments, env={**env, **more}, timeout=3600)
            name = name or str(arguments[0])
            played.seconds[name] = played.seconds.get(name, 0.0) + time.monotonic() - began
            played.said.append(said)
            assert said.code == code, f"{name}: exit {said.code}: {said.err[-2000:]}"
            return said

        command("init")
        command("ingest", _written(folder / "logs.jsonl", world.rows, world.broken))
        command("run")
        asked = ("content_creation", "affective_type", "pushback")
        command("labels", "export", "--size", str(CODED * len(days)), "--facets", ",".join(asked))
        command("labels", "import", _answers(played, folder / "answers.csv"))
        alone = [str(day) for day in days[: world.shape.released_days]]
        if briefly:
            command("release", *alone, week)
            command("status", "--json")
            return played
        command("release", *alone, name="days")
        for kind in ("week", "month"):
            command("release", "--all", name=f"{kind}s", CONFIDE_RELEASE__PERIOD=kind)
        command("release", f"{days[7]}..{days[34]}", name="window")
        command("ingest", _written(folder / "few.jsonl", world.few))
        command("run")
        command("release", "--correct", week, code=1, name="refused")
        command("ingest", _written(folder / "late.jsonl", world.late))
        command("run")
        command("release", "--correct", week, name="correction")
        command("status")
        command("status", "--json", name="status")
        command("doctor")
    return played


def _answers(played: Played, path: Path) -> Path:
    """What a person finds in the drawn conversations: what was planted, but for one in so many."""
    world, key_of = played.world, Workspace.open(played.home).pseudonyms.conversation
    talks = {key_of(name): talk for name, talk in world.truth.items()}
    (coder,), lake = world.canaries["coder"], Lake(Home(played.home))
    items = [row for day in lake.days("human_samples") for row in lake.read("human_samples", day).iter_rows(named=True)]
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["item_id", "coder", "content_creation", "affective_type", "pushback"])
        for n, (item, key) in enumerate(sorted((row["item_id"], row["conversation_key"]) for row in items)):
            talk, is_misread = talks[key], n % MISREAD == 0
            types = set(talk.types or ()) ^ ({"coaching"} if is_misread else set())
            creates = bool(talk.creation) != is_misread
            pushback = [] if is_misread else sorted(talk.pushback or ())
            answers = ("yes" if creates else "no", *(";".join(some) or "none" for some in (sorted(types), pushback)))
            writer.writerow([item, coder, *answers])
    return path


def _written(path: Path, rows: Sequence[Row], more: Sequence[str] = ()) -> Path:
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join([*lines, *more]) + "\n", encoding="utf-8")
    return path
