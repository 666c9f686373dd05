"""The demo world as written: stated truth, honest text, files that ingestion counts as announced."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.demo import study_design as design
from dagster_project.demo.compare import compare
from dagster_project.demo.truth import read_truth
from dagster_project.demo.world import SURFACE, WorldSummary, write_world
from dagster_project.domain.study import AFFECTIVE_TYPES, ROLEPLAY_TYPES, SENTIMENT_LEVELS, TALK_TYPES
from dagster_project.home import Home
from dagster_project.intake import ingest

ROOT = Path(__file__).parents[2]
SHARED_WORDS = 6
"""Words in a row that the demo and the training examples may not share."""
EVERYDAY_PHRASES: frozenset[str] = frozenset()
"""Runs of six words too common to be anybody's template; each needs a reason here."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldSummary:
    """The world of `make demo`, at its full size."""
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def truth(world: WorldSummary) -> pl.DataFrame:
    return read_truth(world.truth)


@pytest.fixture(scope="module")
def logs(world: WorldSummary) -> dict[str, dict[str, Any]]:
    """Every conversation as it is in the end, by id."""
    return {record["conversation_id"]: record for record in _records(world)}


def _records(world: WorldSummary) -> Iterator[dict[str, Any]]:
    """Every line that can be read as a conversation of the world, in the order of arrival, conflicts left out."""
    seen: dict[str, int] = {}
    for path in world.files:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in content.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if not isinstance(record, dict) or not str(record.get("conversation_id")).startswith("demo-"):
                continue
            if "demo-broken" in record["conversation_id"] or b"broken on purpose" in line:
                continue
            n = len(record["messages"])
            if n >= seen.get(record["conversation_id"], 0):
                seen[record["conversation_id"]] = n
                yield record


def _human(record: dict[str, Any]) -> list[str]:
    return [m["content"] for m in record["messages"] if m["role"] == "user"]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower().replace("’", "'"))


def _runs(text: str) -> set[str]:
    words = _words(text)
    return {" ".join(words[i : i + SHARED_WORDS]) for i in range(len(words) - SHARED_WORDS + 1)}


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    """A demo that differs from run to run cannot be compared with anything."""
    first, again = (write_world(tmp_path / name, seed=5, conversations=400) for name in ("a", "b"))
    other = write_world(tmp_path / "c", seed=6, conversations=400)
    for one, two, three in zip((*first.files, first.truth), (*again.files, again.truth), other.files, strict=False):
        assert one.read_bytes() == two.read_bytes()
        assert one.read_bytes() != three.read_bytes()


def test_a_world_too_small_to_hold_its_own_mishaps_is_refused(tmp_path: Path) -> None:
    """A tiny world would quietly lack late and broken lines."""
    with pytest.raises(ValueError, match="300"):
        write_world(tmp_path, conversations=100)


def test_size_window_and_people_are_as_stated(world: WorldSummary, truth: pl.DataFrame) -> None:
    """A window cut short or a world too large would break the demo's promise of five minutes."""
    assert world.conversations == truth.height == 6200
    assert 1400 <= world.users <= 1600
    assert world.human_messages <= 22_000
    assert (world.first_day, world.last_day) == (truth["day"].min(), truth["day"].max())
    assert str(world.first_day) == "2026-09-21" and str(world.last_day) == "2026-11-15"
    per_user = truth.drop_nulls("user_id").group_by("user_id").len()["len"]
    assert (per_user >= 20).sum() >= 10
    assert per_user.median() <= 4


def test_shares_of_the_truth_are_those_of_the_design(truth: pl.DataFrame) -> None:
    """The design is what the README states: the truth may not drift from it."""
    content = truth["is_content_creation"].mean()
    assert content == pytest.approx(design.SHARES["content_creation"], abs=0.02)
    main = truth.filter(pl.col("scenario") != "foreign").with_columns(pl.col("affective_types").list.last())
    for affective_type in ROLEPLAY_TYPES:
        share = (main["affective_types"] == affective_type).sum() / truth.height
        assert share == pytest.approx(design.SHARES[affective_type], abs=0.007)
    affective = (truth["affective_types"].list.len() > 0).mean()
    stated = sum(design.SHARES[t] for t in AFFECTIVE_TYPES)
    assert affective == pytest.approx(stated, abs=0.02)
    foreign = (truth["scenario"] == "foreign").mean()
    assert isinstance(foreign, float) and 0 < foreign < 0.01


def test_every_figure_has_enough_people_to_be_published(truth: pl.DataFrame) -> None:
    """A demo whose cells are all withheld shows nothing."""
    talks = truth.explode("affective_types", "topics").drop_nulls("affective_types")
    for affective_type in TALK_TYPES:
        of_type = talks.filter(pl.col("affective_types") == affective_type)
        assert (of_type["n_human_messages"] >= 6).sum() >= 250
        topics = of_type.group_by("topics").agg(pl.len(), pl.col("user_id").n_unique().alias("users"))
        large = topics.filter((pl.col("len") >= 60) & (pl.col("users") >= 30))
        assert 5 <= topics.height <= 9 and large.height > topics.height / 2
        assert topics["len"].max() > 1.5 * topics["len"].min()  # type: ignore[operator]
    for affective_type in ROLEPLAY_TYPES:
        counted = talks.filter(pl.col("affective_types") == affective_type, pl.col("n_human_messages") >= 4)
        assert counted.height >= 60 and counted["user_id"].n_unique() >= 40


def test_pushback_has_all_kinds_all_places_and_rates_that_differ(truth: pl.DataFrame) -> None:
    """A figure of pushback with one kind or one place would not show what it can show."""
    events = truth.explode("pushback").drop_nulls("pushback").unnest("pushback")
    assert set(events["kind"]) == {"refusal", "safety", "boundary", "challenge", "correction", "other"}
    thirds = Counter(events.select(pl.col("assistant_turn") * 3 // pl.col("n_assistant_messages")).to_series())
    assert min(thirds[i] for i in range(3)) > 0.15 * events.height
    talks = truth.explode("affective_types").with_columns((pl.col("pushback").list.len() > 0).alias("has"))
    rates = {t: talks.filter(pl.col("affective_types") == t)["has"].mean() for t in TALK_TYPES}
    for affective_type, rate in rates.items():
        assert rate == pytest.approx(design.PUSHBACK_RATES[affective_type], abs=0.035), affective_type


def test_moods_rise_a_little_and_not_alike(truth: pl.DataFrame, world: WorldSummary, tmp_path: Path) -> None:
    """Without a true change the figure of sentiment would be noise; with a large one, a fairy tale."""
    window = {"period_kind": "window", "period_start": world.first_day, "period_end": world.last_day, "revision": 0}
    (tmp_path / "tables").mkdir()
    for name, extra in (
        ("prevalence", {"category": "all"}),
        ("pushback", {"affective_type": "any", "kind": "any", "position": "any"}),
        ("sentiment", {"affective_type": "any"}),
    ):
        pl.DataFrame([{**window, **extra}]).write_parquet(tmp_path / "tables" / f"{name}.parquet")
    changes = {r.cell: r.truth for r in compare(tmp_path, world.truth) if r.table == "sentiment"}
    assert all(change is not None and 0 < change < 0.3 for change in changes.values())
    coaching, company = changes["coaching, change"], changes["companionship, change"]
    assert coaching is not None and company is not None and coaching > company + 0.05


def test_the_truth_agrees_with_the_text(truth: pl.DataFrame, logs: dict[str, dict[str, Any]]) -> None:
    """A truth that points at the wrong message would make a good classifier look bad."""
    assert set(logs) == set(truth["conversation_id"])
    for row in truth.iter_rows(named=True):
        record = logs[row["conversation_id"]]
        roles = [m["role"] for m in record["messages"]]
        assert record["started_at"].startswith(str(row["day"])) and record["user_id"] == row["user_id"]
        assert len(row["sentiment"]) == row["n_human_messages"] == roles.count("user")
        assert set(row["sentiment"]) <= set(SENTIMENT_LEVELS)
        assert row["n_assistant_messages"] == roles.count("assistant")
        assert set(row["affective_types"]) <= set(AFFECTIVE_TYPES)
        assert len(row["topics"]) == len(row["affective_types"])
        assert not (row["is_content_creation"] and row["affective_types"])
        for event in row["pushback"]:
            assert roles[event["message_index"]] == "assistant"
            assert roles[: event["message_index"]].count("assistant") == event["assistant_turn"]


def test_everything_says_that_it_is_synthetic(logs: dict[str, dict[str, Any]]) -> None:
    """Invented talks of distress must never pass for real people's."""
    for record in logs.values():
        assert record["surface"] == SURFACE
        assert record["conversation_id"].startswith("demo-")
        assert record["user_id"] is None or record["user_id"].startswith("demo-user-")


def test_ingestion_counts_every_line_as_announced(world: WorldSummary, tmp_path: Path) -> None:
    """A broken line that nobody counts is a conversation lost in silence."""
    home = Home(tmp_path / "home")
    home.create()
    reports = [ingest(home, [path]) for path in world.files]
    quarantined: Counter[str] = Counter()
    for report in reports:
        quarantined.update(report.quarantined)
    assert dict(quarantined) == world.quarantined
    assert sum(world.quarantined.values()) >= 12
    assert sum(r.accepted for r in reports) == world.accepted
    assert sum(r.replaced for r in reports) == world.replaced >= 3
    assert sum(r.duplicates for r in reports) == world.duplicates >= 3
    assert sum(r.assumed_utc for r in reports) == world.assumed_utc
    assert sum(r.without_user_id for r in reports) == world.without_user_id
    late = reports[-1]
    assert late.accepted == 40 and max(late.days) < world.last_day


def test_no_template_is_shared_with_what_the_classifier_learnt(logs: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """A classifier tested on the sentences it was trained on would look better than it is."""
    examples = sorted((ROOT / "training" / "examples").glob("*.jsonl"))
    assert examples
    learnt: set[str] = set()
    for path in examples:
        for line in path.read_text(encoding="utf-8").splitlines():
            for text in _texts(json.loads(line)):
                learnt |= _runs(text)
    assert len(learnt) > 1000
    # A second world says what chance left unsaid in the first.
    other = _records(write_world(tmp_path, seed=3, conversations=3000))
    said: set[str] = set()
    for record in (*logs.values(), *other):
        for message in record["messages"]:
            said |= _runs(message["content"])
    assert said & learnt <= EVERYDAY_PHRASES


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def test_people_do_not_all_say_the_same(logs: dict[str, dict[str, Any]], truth: pl.DataFrame) -> None:
    """Labels that hang on a handful of sentences would be trivial, and near-duplicates count once."""
    first = [_human(record)[0] for record in logs.values()]
    assert len({" ".join(_words(text)) for text in first}) >= 0.95 * len(first)
    lengths = sorted(len(_words(text)) for record in logs.values() for text in _human(record))
    assert lengths[len(lengths) // 2] >= 8 and lengths[int(0.99 * len(lengths))] <= 70
    vocabulary = {word for record in logs.values() for text in _human(record) for word in _words(text)}
    assert len(vocabulary) > 3500
    types = truth.explode("affective_types").select("conversation_id", "affective_types").rows()
    words_of: dict[str | None, set[str]] = {}
    for conversation_id, affective_type in types:
        words_of.setdefault(affective_type, set()).update(w for t in _human(logs[conversation_id]) for w in _words(t))
    for one, two in pairwise(TALK_TYPES):
        assert len(words_of[one] & words_of[two]) > 0.3 * min(len(words_of[one]), len(words_of[two]))


def test_hard_cases_are_there(truth: pl.DataFrame, logs: dict[str, dict[str, Any]]) -> None:
    """Without them, words of feeling alone would decide every label."""
    scenarios = Counter(truth["scenario"])
    for scenario in ("hard_feelings_in_content", "hard_facts_about_mental_health", "hard_small_talk", "short_roleplay"):
        assert scenarios[scenario] >= 15, scenario
    assert (truth["affective_types"].list.len() > 1).sum() >= 60
    roles = Counter(m["role"] for record in logs.values() for m in record["messages"])
    assert roles["system"] > 50 and roles["tool"] > 20


UNSAFE = re.compile(
    r"\b(commit(ted|ting)? suicide|kill(ed|ing)? (myself|yourself|themsel\w+)|hang(ed|ing)? myself|overdos\w+|"
    r"slit|noose|jump(ed|ing)? off|razor|cutting myself|suicidal)\b",
    re.IGNORECASE,
)
PERSONAL = re.compile(r"[\w.]+@\w+\.\w+|https?://|\+?\d[\d ()-]{7,}\d|\bunder(age)?-?age\b|\bteenage\w* lover\b")


def test_texts_are_safe_and_name_nobody(logs: dict[str, dict[str, Any]]) -> None:
    """A demo that gives methods, or an address, would do harm on every machine it runs on."""
    for record in logs.values():
        for message in record["messages"]:
            assert not UNSAFE.search(message["content"])
            assert not PERSONAL.search(message["content"])


def test_whoever_speaks_of_death_is_answered_with_help(truth: pl.DataFrame, logs: dict[str, dict[str, Any]]) -> None:
    """An assistant that passes over such a sentence would teach readers that this is fine."""
    safety = truth.filter(pl.col("topic") == "dark_thoughts", pl.col("scenario") == "talk")
    assert safety.height >= 20
    for row in safety.iter_rows(named=True):
        messages = logs[row["conversation_id"]]["messages"]
        replies = " ".join(m["content"] for m in messages if m["role"] == "assistant").lower()
        assert re.search(r"crisis (line|service)|emergency", replies), row["conversation_id"]
