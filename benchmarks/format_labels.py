"""Whether the form in which chats come changes what is counted. Run: python benchmarks/format_labels.py DIR [-n 300]

Takes conversations from the canonical files (.jsonl.gz) under a folder, in turn from each `source`, by a seed; writes
them in each form, has `confide` recognise and ingest each into a home of its own (one key for all, so that pseudonyms
agree), runs the daily job up to its labels, and sets days, words and labels beside those of the canonical form. What a
form cannot hold is left out of the comparison of labels and listed by reason.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import dagster as dg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.assets.context import Silent
from dagster_project.build import build_definitions
from dagster_project.home import Home
from dagster_project.running import first_cause, instance_of
from dagster_project.sensors import range_tags
from dagster_project.setting_up import create_home
from dagster_project.storage.lake import Lake
from dagster_project.storage.landing import Landing
from tests.support.chat_formats import FORMS, Form
from tests.support.conversations import KEY, write_lines

SEED = 20261126
COMPARED = ("facet", "facet_version", "status", "value_index", "value", "number", "score", "message_index", "weight")
ID_END = "-7"
"""Ends every id, as WildChat's does, which is made of a hash and a turn."""
SHORT_OF = ("user_id", "started_at", "surface", "messages")


def sample_of(folder: Path, n: int, between: tuple[str, str]) -> list[dict[str, Any]]:
    """Conversations of all sources in turn, so that the large ones are not all there is."""
    by_source: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for file in sorted(folder.rglob("*.jsonl.gz")):
        with gzip.open(file, "rb") as lines:
            for row in map(json.loads, lines):
                if (
                    row.get("conversation_id")
                    and row.get("messages")
                    and between[0] <= row["started_at"][:10] <= between[1]
                ):
                    known = by_source[str(row.get("source"))]
                    known.setdefault(row["conversation_id"], {"surface": None, "user_id": None, **row})
    random, taken = Random(SEED), []
    queues = [random.sample(list(known.values()), len(known)) for _, known in sorted(by_source.items())]
    while len(taken) < n and any(queues):
        taken += [queue.pop() for queue in queues if queue]
    keys = ("conversation_id", "user_id", "started_at", "surface", "messages")
    return [{k: row[k] for k in keys} | {"conversation_id": f"{row['conversation_id']}{ID_END}"} for row in taken[:n]]


def confide(home: Home, *words: str | Path) -> dict[str, Any]:
    """What a command says, as JSON. Raises CalledProcessError."""
    command = [str(Path(sys.executable).parent / "confide"), "--home", str(home.root), *map(str, words), "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # type: ignore[no-any-return]


def label(home: Home) -> None:
    """The daily job of all landed days, without topics and marts: nothing that is compared depends on them."""
    definitions = build_definitions(home.root, {"progress": Silent()})
    chosen = dg.AssetSelection.groups("ingestion", "classification").resolve(definitions.resolve_asset_graph())
    days = sorted(Landing(home).days())
    with instance_of(home) as instance:
        result = definitions.resolve_job_def("daily").execute_in_process(
            instance=instance,
            tags=range_tags(days[0].isoformat(), days[-1].isoformat()),
            asset_selection=sorted(chosen),
        )
    if not result.success:
        sys.exit(first_cause(result))


class Read:
    """What a home holds of its conversations after a run, by pseudonym."""

    def __init__(self, home: Home) -> None:
        lake = Lake(home)
        self.days: dict[str, date] = {}
        self.said: dict[str, str] = {}
        self.labels: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for day in lake.days("conversations"):
            rows = lake.read("conversations", day).select("conversation_key", "content_hash").rows()
            self.days |= {key: day for key, _ in rows}
            self.said |= dict(rows)
            for table in ("screen_labels", "detail_labels"):
                for key, *label in lake.read(table, day).select("conversation_key", *COMPARED).rows():
                    self.labels[key].append((table, *label))
        for rows_of_one in self.labels.values():
            rows_of_one.sort(key=repr)


def read_as(folder: Path, form: Form | None, conversations: list[dict[str, Any]]) -> tuple[str, dict[str, Any], Read]:
    """Write, ingest and run one form (None: the canonical one): its name, what ingestion said, the home."""
    home = Home(folder / "home")
    create_home(home)
    home.key_file.write_bytes(KEY)
    suffix = form.suffix if form else ".jsonl"
    path = folder / f"chats{suffix}"
    if form is None:
        write_lines(path, conversations)
    else:
        form.write(path, conversations)
    told = confide(home, "ingest", path)
    label(home)
    return told["formats"][0]["format"] if told.get("formats") else "confide", told, Read(home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-n", type=int, default=300)
    parser.add_argument(
        "--from", dest="first", default="2026-09-21", help="first day; chats of long ago are days of their own"
    )
    parser.add_argument("--to", dest="last", default="2026-11-15")
    parser.add_argument("--forms", default="openai.jsonl,sharegpt.json,wildchat.parquet,langfuse.jsonl")
    asked = parser.parse_args()
    chosen = [form for form in FORMS if str(form) in asked.forms.split(",") and form.table is None]
    conversations = sample_of(asked.folder, asked.n, (asked.first, asked.last))
    differs = False
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{len(conversations)} conversations, {sum(len(c['messages']) for c in conversations):,} messages")
        (Path(scratch) / "confide").mkdir()
        _, told, canonical = read_as(Path(scratch) / "confide", None, conversations)
        print(f"canonical: {told['accepted']} accepted, {len(set(canonical.days.values()))} days")
        heads = (("accepted", 8), ("same day", 8), ("same words", 10), ("labels", 7), ("same", 6))
        print(f"{'form':20} {'taken for':16} " + " ".join(f"{head:>{width}}" for head, width in heads))
        for form in chosen:
            folder = Path(scratch) / str(form)
            folder.mkdir()
            taken_for, told, found = read_as(folder, form, conversations)
            both = canonical.days.keys() & found.days.keys()
            whole = [key for key in both if canonical.said[key] == found.said[key]]
            pairs = [(canonical.labels[key], found.labels[key]) for key in whole]
            same = sum(sum((Counter(a) & Counter(b)).values()) for a, b in pairs)
            labels = sum(max(len(a), len(b)) for a, b in pairs)
            same_day = sum(canonical.days[key] == found.days[key] for key in both)
            print(
                f"{form!s:20} {taken_for:16} {told['accepted']:8} {same_day:8} {len(whole):10} {labels:7,} {same:6,}",
                flush=True,
            )
            lacks = Counter(name for one in conversations for name in SHORT_OF if form.holds(one)[name] != one[name])
            print(f"{'':20} cannot hold: {dict(lacks) or 'nothing of these is lost'}; refused: {told['quarantined']}")
            n = canonical.days.keys() ^ found.days.keys()
            differs |= bool(n) or same_day < len(both) or same < labels or len(whole) + lacks["messages"] < len(both)
    sys.exit("days or labels differ" if differs else None)


if __name__ == "__main__":
    main()
