"""One home that went the whole path, made once for all tests and copied for each file that wants it.

Two weeks, the first of them released. In it: names in every field of the input; a person who says what nobody else
says; a line that is no JSON, one that comes twice, records that are refused. Not here: what tests do with it.
"""

import fcntl
import json
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.homes import Said, confide, done
from tests.support.worlds import conversation, days_from, small_world, write_lines

DAYS = days_from("2026-10-05", 14)
RELEASED, COUNTED = "2026-W41", "2026-W42"
"""The week that is released, and the one that could be."""

WHERE = (
    "user_id", "conversation_id", "surface", "content", "reply", "system", "key", "role", "time", "badline", "block",
)  # fmt: skip
NAMES = [f"Zorvane{where.replace('_', '')}" for where in WHERE]
EMAILS = [f"{where}.quixley@canary-{where.replace('_', '')}.example" for where in WHERE]
NUMBERS = [f"+44 7700 9{i:05d}" for i in range(len(WHERE))]
CANARIES = NAMES + EMAILS + NUMBERS

PERSON, WORDS, ONE = "person-Erzsebet-77", "Vellamine keeps me awake", "talk-Quixley-9"
"""A user, what they say, and a conversation of somebody else."""
HERS = [f"talk-of-Erzsebet-{i}" for i in range(4)]


@dataclass(frozen=True)
class Ready:
    """home: this test's own. logs: what was ingested. rows: as the world made them, refused ones included."""

    home: Path
    logs: Path
    rows: list[dict[str, Any]]
    said: dict[str, Any]

    @property
    def told(self) -> Path:
        """A file of everything that the commands printed."""
        return self.logs.with_name("said.txt")


def canary(where: str) -> str:
    """A name, an address and a number, of one field."""
    i = WHERE.index(where)
    return f"{NAMES[i]} {EMAILS[i]} {NUMBERS[i]}"


def world() -> list[dict[str, Any]]:
    """Canonical conversations, then three that are refused."""
    rows = small_world(DAYS, a_day=45, users=800)
    rng = random.Random(3)
    for i in range(40):
        row = conversation(rng, 50_000 + i, DAYS[i % 7], f"{canary('user_id')} {i % 20}", "counseling", 6)
        row["conversation_id"] = f"{canary('conversation_id')} {i}"
        row["surface"] = canary("surface")
        row["messages"][0]["content"] += f", says {canary('content')}"
        row["messages"][1]["content"] += f" Dear {canary('reply')}"
        row["messages"].insert(0, {"role": "system", "content": f"You serve {canary('system')}"})
        row["messages"].append({"role": "user", "content": [{"type": "text", "text": canary("block")}]})
        row[canary("key")] = {canary("key"): canary("key")}
        rows.append(row)
    for i, day in enumerate((DAYS[0], DAYS[3], DAYS[3], DAYS[9])):
        row = conversation(rng, 0, day, PERSON, "counseling", 6) | {"conversation_id": HERS[i]}
        row["messages"][0]["content"] += f" because {WORDS}"
        rows.append(row)
    one = conversation(rng, 71_000, DAYS[4], "u1", "coaching", 3) | {"conversation_id": ONE}
    one["messages"][0]["content"] += " in Tarkowin by the sea"
    bad_role = conversation(rng, 60_000, DAYS[0], "u1", "fact", 1)
    bad_role["messages"][0]["role"] = canary("role")
    bad_time = conversation(rng, 60_001, DAYS[0], "u1", "fact", 1) | {"started_at": canary("time")}
    no_time = conversation(rng, 72_000, DAYS[4], PERSON, "fact", 1) | {"started_at": None}
    return [*rows, one, bad_role, bad_time, no_time]


N_REFUSED = 3
"""Records at the end of the world that are refused."""


def ready_home(factory: pytest.TempPathFactory) -> Ready:
    """A copy of the home, for one file of tests to do with as it likes."""
    ours = factory.getbasetemp()
    shared = (ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "shared-ready"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "said.json").exists():
            _make(shared)
    home = factory.mktemp("ready") / "home"
    shutil.copytree(shared / "home", home, symlinks=True)
    return Ready(home, shared / "logs.jsonl", world(), json.loads((shared / "said.json").read_text()))


def _make(folder: Path) -> None:
    home, logs = folder / "home", write_lines(folder / "logs.jsonl", world())
    with logs.open("a", encoding="utf-8") as file:
        file.write(f'{{"conversation_id": "x", "messages": "{canary("badline")}"\n')
        file.write(logs.read_text(encoding="utf-8").splitlines()[0] + "\n")
    commands: list[list[str | Path]] = [
        ["init"], ["ingest", logs, "--json"], ["run", "--json"], ["release", RELEASED, "--json"], ["status", "--json"],
        ["status"], ["doctor"],
    ]  # fmt: skip
    said: list[tuple[str, Said]] = [(str(words[0]), done(confide(home, *words))) for words in commands]
    (folder / "said.txt").write_text("\n".join(one.out + one.err for _, one in said), encoding="utf-8")
    json_of = {name: one.json for name, one in said if one.out.startswith("{")}
    (folder / "said.json").write_text(json.dumps(json_of), encoding="utf-8")
