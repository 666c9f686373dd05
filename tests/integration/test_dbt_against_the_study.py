"""dbt's numbers against plain Python, cell by cell, on one random world that visits every rule.

The bad day: a join drops or doubles rows, and the figures look plausible.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dagster_project.codebook.cells import cells_of, values_told
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.codebook.schema import Category, Facet
from dagster_project.domain import study
from dagster_project.domain.estimation import correction
from dagster_project.domain.estimation.prediction_powered import prediction_powered_mean
from dagster_project.domain.estimation.wilson import clustered_wilson_interval, residual_square
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.tables import LENGTHS, TABLES
from dagster_project.home import Home
from dagster_project.storage.contributions import contributions_of
from dagster_project.storage.warehouse import DBT_PROJECT, PUBLISH_TABLES, read_publish_rows, reading
from tests.support import planted_worlds, study_reference
from tests.support.dbt_runs import build_days, build_periods, run_dbt
from tests.support.lake_builder import (
    CANARY,
    NO_LABEL,
    Coded,
    Talk,
    Topic,
    random_coded,
    random_talks,
    write_coded,
    write_talks,
    write_topics,
)

FIRST, LAST = date(2026, 10, 5), date(2026, 10, 18)
PERIODS = [parse_period("2026-W41"), parse_period("2026-W42")]
MOST = 3
KEYS = {
    "prevalence": ["category"],
    "funnel": ["step"],
    "topics": ["affective_type", "topic_id"],
    "pushback": ["affective_type", "kind", "position"],
    "sentiment": ["affective_type"],
    "agreement": ["facet"],
    "agreement_by": ["facet", "dimension", "group_name"],
    "drift": ["start_type", "end_type"],
    "long_conversations": ["affective_type"],
    "usage_bands": ["band"],
    "facets": ["facet", "value", "affective_type"],
}
OF = {"pushback": (0,), "long_conversations": (0,), "facets": (0, 2), "drift": ()}
"""Tables whose denominators are compared by a name of their own, and the keys that choose them."""
# A model's columns carry these words only as names of counts or facets.
TEXT_COLUMNS = {"content", "surface", "message", "text", "content_hash"}

OWN = Facet(
    id="our_product",
    version=1,
    title="Product",
    question="Which product is it about?",
    unit="conversation",
    applies_to=["all"],
    answer="choice",
    stage="screen",
    sensitive=False,
    publish="facets",
    source="Ours.",
    categories=[Category(id=i, label=i, definition=i) for i in ("app", "site")],
)
"""An organisation's own facet: a file, as far as Confide is concerned."""
ASKED = [OWN, *(f for f in shipped_codebook() if f.publish in ("facets", "drift"))]
CELLS = list(cells_of(ASKED))


def with_facets(rng: random.Random, talk: Talk) -> Talk:
    """A talk with answers to every other facet, some not told, some of events that the talk does not have."""
    told = []
    for facet in ASKED:
        ids = facet.category_ids
        most = 1 if facet.answer.value == "choice" and facet.of is None else len(ids)
        n = rng.randint(0 if values_told(facet) == "any_number" else 1, most)
        events = facet.of is None or (isinstance(talk.pushback, tuple) and talk.pushback)
        values = tuple(rng.choices(ids, k=n)) if facet.of else tuple(rng.sample(ids, n))
        told.append((facet.stage, facet.id, rng.choices(((values if events else ()), None), (9, 1))[0]))
    if rng.random() < 0.1:
        talk = replace(talk, turns="ua" * rng.choice((49, 50)), pushback=NO_LABEL, sentiment=NO_LABEL)
    return replace(talk, facets=tuple(told))


TALKS: list[Talk] = [
    # Weights that are sums of powers of two: any order of adding gives the same.
    replace(with_facets(random.Random(i), talk), weight=1.0 if i % 3 else 2.5)
    for i, talk in enumerate(random_talks(11, 1500, FIRST, 14, 400))
]

CODED = random_coded(TALKS, 12)
MISHEARD, MISHEARD_CODED = planted_worlds.misheard()


def topics_of(period: Period) -> list[Topic]:
    """Topics over two levels; assignments name conversations that do not count, too, as clustering may."""
    keys = [t.key for t in TALKS if period.start <= t.day < period.end and "coaching" in (t.types or ())]
    third = len(keys) // 3
    return [
        Topic("coaching", f"{period.key}-work", None, 0, tuple(keys[:third])),
        Topic("coaching", f"{period.key}-exam", f"{period.key}-work", 1, tuple(keys[third : 2 * third])),
        Topic("coaching", f"{period.key}-empty", None, 0),
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    # A name with every character that SQL, globs and formats might trip over.
    home = Home(tmp_path_factory.mktemp("homes") / "it's [a] {home}")
    home.create()
    days = write_talks(home, [*TALKS, *planted_worlds.talks(), *MISHEARD])
    write_coded(home, [*CODED, *MISHEARD_CODED], days)
    for period in PERIODS:
        write_topics(home, period.key, topics_of(period))
    build_days(home, FIRST, planted_worlds.LAST)
    planted = [planted_worlds.GIVEN_UP, *planted_worlds.TONES, planted_worlds.MISHEARD]
    build_periods(home, [*PERIODS, *planted], MOST, CELLS)
    yield home


@pytest.fixture(scope="module")
def manifest(home: Home) -> dict:
    return json.loads((home.private / "dbt" / "target" / "manifest.json").read_text())


def rows_of(home: Home, name: str, period: Period) -> dict[tuple[str, ...], dict[str, object]]:
    rows = read_publish_rows(home, f"publish_{name}", [period.key]).to_dicts()
    return {tuple(row[k] for k in KEYS[name]): row for row in rows}


@pytest.mark.parametrize("period", PERIODS, ids=lambda p: p.key)
@pytest.mark.parametrize("name", KEYS)
def test_every_cell_is_the_references(home: Home, name: str, period: Period) -> None:
    """Every count, share and mean of every cell, zero cells included."""
    counted = study_reference.counted(TALKS, period, MOST)
    compute = getattr(study_reference, name)
    more = {"topics": [topics_of(period)], "drift": [CELLS], "facets": [CELLS]}.get(name, [])
    more = [CODED] if name.startswith("agreement") else more
    expected = compute(counted, *more)
    got = rows_of(home, name, period)
    assert got.keys() == expected.keys()
    for key, numbers in expected.items():
        for column, value in numbers.items():
            if column in got[key]:
                assert got[key][column] == pytest.approx(value, abs=1e-9), (name, key, column)
        assert (got[key]["period_start"], got[key]["period_end"]) == (period.start, period.end)
        assert (got[key]["period_key"], got[key]["period_kind"]) == (period.key, "week")


@pytest.mark.parametrize("period", PERIODS, ids=lambda p: p.key)
def test_contributions_are_those_of_the_cells(home: Home, period: Period) -> None:
    """Prevents a correction from being judged by other people than those whom its cells count."""
    kept = contributions_of(home, period).group_by("table_name", "cell")
    counted = {
        (row["table_name"], row["cell"]): (row["conversation_key"], row["user_key"])
        for row in kept.agg(pl.col("conversation_key", "user_key").n_unique()).to_dicts()
    }
    expected: dict[tuple[str, str], tuple[object, object]] = {}
    for name in set(KEYS) - {"topics"}:
        for key, row in rows_of(home, name, period).items():
            if name.startswith("agreement") and key[0] not in ("affective_type", "pushback"):
                continue  # all judged on the same conversations as affective_type
            expected[name, "/".join(key)] = row["n_conversations"], row["n_users"]
            if name in OF:
                of = "/".join(key[i] for i in OF[name])
                expected[f"of_{name}", of] = row["of_conversations"], row["of_users"]
    answers = {cell: numbers for cell, numbers in counted.items() if cell[0].startswith("answers_")}
    assert {cell: n for cell, n in counted.items() if cell not in answers} == {
        cell: numbers for cell, numbers in expected.items() if numbers != (0, 0)
    }
    assert answers["answers_agreement", "pushback"] == expected["agreement", "pushback"]
    of_groups = {
        (f"answers_{name}", cell): n for (name, cell), n in expected.items() if name == "agreement_by" and n[0]
    }
    assert {cell: n for cell, n in answers.items() if cell[0] == "answers_agreement_by"} == of_groups
    assert {name for name, _ in answers} == {"answers_agreement", "answers_agreement_by"}, "too few to correct by"


def test_answers_that_correct_a_number_are_kept_with_it(home: Home) -> None:
    """Prevents a correction from showing, by subtraction, what a few people's conversations were re-coded to."""
    kept = contributions_of(home, planted_worlds.MISHEARD).filter(pl.col("table_name").str.starts_with("answers_"))
    found = dict(kept.group_by("table_name", "cell").len().select("table_name", "len").iter_rows())
    sides = rows_of(home, "pushback", planted_worlds.MISHEARD)["any", "any", "any"]
    assert found["answers_pushback"] == sides["coded_yes_conversations"] + sides["coded_no_conversations"]  # type: ignore[operator]
    tone = rows_of(home, "sentiment", planted_worlds.MISHEARD)["any",]
    assert found["answers_sentiment"] == tone["coded_conversations"]
    assert kept["answered"].null_count() == 0 and kept["answered"].n_unique() > 10


def test_the_world_visits_every_rule(home: Home) -> None:
    """A comparison over empty cells proves nothing."""
    prevalence = rows_of(home, "prevalence", PERIODS[0])
    assert all(row["n_conversations"] > 0 for row in prevalence.values())
    assert prevalence["all",]["n_conversations"] < sum(t.day < PERIODS[0].end for t in TALKS), "the cap never bites"
    pushback = rows_of(home, "pushback", PERIODS[0])
    assert sum(row["n_conversations"] > 0 for row in pushback.values()) > 100
    assert all(row["n_conversations"] > 3 for key, row in rows_of(home, "sentiment", PERIODS[0]).items())


@pytest.mark.parametrize("category", ["affective", "coaching", "sexual_roleplay"])
def test_intervals_are_the_estimators(home: Home, category: str) -> None:
    """The SQL feeds the interval sums over all users, those without a hit included."""
    counted = study_reference.counted(TALKS, PERIODS[0], MOST)
    inside = {
        t.key
        for t in counted
        if (category == "affective" and study_reference.types_of(t)) or category in study_reference.types_of(t)
    }
    users = sorted({t.user for t in counted})
    hits = [sum(t.weight for t in counted if t.user == u and t.key in inside) for u in users]
    weights = [sum(t.weight for t in counted if t.user == u) for u in users]
    share = sum(hits) / sum(weights)
    expected = clustered_wilson_interval(share, residual_square(hits, weights), len(counted), len(users))
    row = rows_of(home, "prevalence", PERIODS[0])[category,]
    assert (row["share_low"], row["share_high"]) == pytest.approx(tuple(expected), abs=1e-8)


@pytest.mark.parametrize("category", ["affective", "coaching", "content_creation"])
def test_corrections_are_from_what_people_found(home: Home, category: str) -> None:
    """Sides that are mixed up, or a weight that is lost, would correct the wrong way."""
    counted = study_reference.counted(TALKS, PERIODS[0], MOST)
    row = rows_of(home, "prevalence", PERIODS[0])[category,]
    found = {side: study_reference.found_true(counted, CODED, category, side == "yes") for side in ("yes", "no")}
    for side, numbers in found.items():
        assert row[f"coded_{side}_conversations"] == numbers["conversations"]
        assert row[f"coded_{side}_users"] == numbers["users"]
        assert row[f"true_of_{side}"] == pytest.approx(numbers["share"], abs=1e-9)
    with reading(home) as connection:
        (value, low, high) = connection.execute(
            "select corrected_share, corrected_low, corrected_high from marts.mart_prevalence "
            "where period_key = ? and category = ?",
            [PERIODS[0].key, category],
        ).fetchone()
    expected = row["share"] * found["yes"]["share"] + (1 - row["share"]) * found["no"]["share"]
    assert value == pytest.approx(expected, abs=1e-8)
    assert low < value < high


WORLDS = pytest.mark.parametrize(
    ("talks", "coded", "period", "is_enough"),
    [(TALKS, CODED, PERIODS[0], False), (MISHEARD, MISHEARD_CODED, planted_worlds.MISHEARD, True)],
    ids=["few labels", "enough"],
)


@WORLDS
@pytest.mark.parametrize(("affective_type", "kind"), [("any", "any"), ("any", "refusal"), ("coaching", "any")])
def test_rates_are_corrected_by_what_people_found_in_the_same_conversations(
    home: Home, affective_type: str, kind: str, talks: list[Talk], coded: list[Coded], period: Period, is_enough: bool
) -> None:
    """Other types' labels, or another kind's, would correct a rate that is not theirs."""
    counted = study_reference.counted(talks, period, MOST)
    rows = rows_of(home, "pushback", period)
    row = rows[affective_type, kind, "any"]
    assert (row["true_of_yes"] is not None) == is_enough and row["rate"] is not None
    for side in ("yes", "no"):
        numbers = study_reference.found_pushback(counted, coded, affective_type, kind, side == "yes")
        assert row[f"coded_{side}_conversations"] == numbers["conversations"] > 0
        assert row[f"coded_{side}_users"] == numbers["users"]
        if is_enough:
            assert row[f"true_of_{side}"] == pytest.approx(numbers["share"], abs=1e-9)
    for position in ("early", "middle", "late"):
        placed = rows[affective_type, kind, position]
        assert placed["true_of_yes"] is None and placed["coded_yes_conversations"] == 0


@WORLDS
@pytest.mark.parametrize("affective_type", ["any", "coaching"])
def test_tone_is_corrected_by_what_people_heard(
    home: Home, affective_type: str, talks: list[Talk], coded: list[Coded], period: Period, is_enough: bool
) -> None:
    """A lost weight, or a user counted once instead of with all conversations, would bend the mean unseen."""
    n, users = study_reference.sums_of_tone(study_reference.counted(talks, period, MOST), coded, affective_type)
    row = rows_of(home, "sentiment", period)[affective_type,]
    assert n > 0 and row["sentiment_change"] is not None
    found = [row[f"corrected_{name}"] for name in ("start", "end", "change", "change_low", "change_high")]
    if not is_enough:
        assert found == [None] * 5 and (row["coded_conversations"], row["coded_users"]) == (0, 0)
        return
    assert (row["coded_conversations"], row["coded_users"]) == (n, sum(user.labelled > 0 for user in users))
    assert found[2:] == pytest.approx(list(prediction_powered_mean(users).estimate), abs=1e-8)
    assert found[1] - found[0] == pytest.approx(found[2], abs=0.02), "each is tuned by itself"


def test_corrected_figures_go_to_the_truth_that_the_raw_ones_miss(home: Home) -> None:
    """Prevents a labeller that hears brightness, and sees pushback, from being taken at its word."""
    tone = rows_of(home, "sentiment", planted_worlds.MISHEARD)["any",]
    assert tone["change_low"] > 0.1, "the labeller's change"  # type: ignore[operator]
    assert tone["corrected_change_low"] < 0 < tone["corrected_change_high"]  # type: ignore[operator]
    with reading(home) as connection:
        raw, low, value, high = connection.execute(
            "select rate, corrected_low, corrected_rate, corrected_high from marts.mart_pushback "
            "where period_key = ? and (affective_type, kind, position) = ('any', 'any', 'any')",
            [planted_worlds.MISHEARD.key],
        ).fetchone()
    assert raw > 0.33 and low < planted_worlds.PUSHED_BACK < high < raw
    assert abs(value - planted_worlds.PUSHED_BACK) < 0.06


def test_few_labels_correct_nothing(home: Home) -> None:
    """Under the least number of labels a side, there is no correction, and the raw share stays."""
    rows = rows_of(home, "prevalence", PERIODS[0])
    few = {key: row for key, row in rows.items() if row["coded_yes_conversations"] < 20}
    assert few and all(row["true_of_yes"] is None and row["share"] is not None for row in few.values())
    assert any(row["true_of_yes"] is not None for row in rows.values())


def test_pushback_given_up_at_the_third_request_is_found(home: Home) -> None:
    """Prevents an assistant that gives way to those who insist from looking as if it held."""
    rows = rows_of(home, "facets", planted_worlds.GIVEN_UP)
    found = rows["pushback_given_up", "at_third_request", "any"]
    assert 150 < found["of_conversations"] < planted_worlds.N * 0.6, "those who let it rest are no cases"  # type: ignore[operator]
    assert found["share_low"] < planted_worlds.WARMED_UP < found["share_high"]  # type: ignore[operator]
    assert abs(found["share"] - planted_worlds.WARMED_UP) < 0.06  # type: ignore[operator]
    assert rows["pushback_given_up", "at_second_request", "any"]["n_conversations"] == 0
    assert ("pushback_given_up", "not_asked_again", "any") not in rows


def test_the_split_baseline_tells_a_change_from_an_unlike_first_message(home: Home) -> None:
    """Prevents regression to the mean, and problems told first, from being read as people feeling better."""
    found = {world: rows_of(home, "sentiment", period)["any",] for period, world in planted_worlds.TONES.items()}
    assert all(row["change_low"] > 0.05 for row in found.values()), "the study's figure rises in all three"  # type: ignore[operator]
    for world in ("noise", "problem"):
        assert found[world]["later_low"] < 0 < found[world]["later_high"], world  # type: ignore[operator]
    assert found["change"]["later_low"] > 0.05  # type: ignore[operator]


def test_running_twice_gives_equal_rows(home: Home) -> None:
    """Numbers that change without new data cannot be trusted or recomputed."""
    keys = [p.key for p in PERIODS]
    before = {t: read_publish_rows(home, t, keys) for t in PUBLISH_TABLES}
    build_days(home, FIRST, LAST)
    build_periods(home, PERIODS, MOST, CELLS)
    for table, rows in before.items():
        assert rows.equals(read_publish_rows(home, table, keys)), table


def test_no_text_is_in_the_warehouse(home: Home) -> None:
    """The working database is read by more people than conversations may be."""
    with reading(home) as connection:
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns"
        ).fetchall()
    assert {c for *_, c in columns} & TEXT_COLUMNS == set()
    assert len({(s, t) for s, t, _ in columns}) >= 23
    for path in [home.warehouse, *(home.private / "dbt").rglob("*"), *(home.tmp / "duckdb").rglob("*")]:
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path.name
    assert home.warehouse.stat().st_mode & 0o077 == 0


def test_unit_tests_of_dbt_pass(home: Home) -> None:
    """Each ratio and threshold, on rows that fit on a hand."""
    said = run_dbt(home, "test", "--select", "test_type:unit")
    assert "ERROR=0" in said
    assert "TOTAL=22" in said


def models(manifest: dict) -> dict[str, dict]:
    return {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}


def test_each_model_says_its_grain_and_tests_it(manifest: dict) -> None:
    """A table whose grain nobody wrote down is joined wrongly sooner or later."""
    tested = {
        n["attached_node"].split(".")[-1]
        for n in manifest["nodes"].values()
        if n["resource_type"] == "test" and (n.get("test_metadata") or {}).get("name") == "unique_key"
    }
    for name, model in models(manifest).items():
        assert model["description"].startswith("One row per "), name
        assert name in tested
        assert Path(model["patch_path"].split("://")[1]).stem == name, "its yml lies elsewhere"
        assert all(c["description"] for c in model["columns"].values()), name


def test_failing_rows_are_never_stored(manifest: dict) -> None:
    """dbt can keep the rows that fail a test: values, in a table that no rule knows."""
    assert not any(n["config"].get("store_failures") for n in manifest["nodes"].values())
    assert {n["config"].get("store_failures_as") for n in manifest["nodes"].values()} <= {None, "ephemeral"}


def test_publish_contracts_are_enforced_and_described(manifest: dict, home: Home) -> None:
    """The suppressor reads these columns: one that changes its type or goes missing must fail here, not there."""
    for table in PUBLISH_TABLES:
        model = models(manifest)[table]
        assert model["config"]["contract"]["enforced"]
        rows = read_publish_rows(home, table, [])
        assert list(rows.columns) == list(model["columns"]), table
        assert all(c["data_type"] for c in model["columns"].values())


def test_grids_are_those_of_the_published_tables(home: Home) -> None:
    """A category that is published but not computed would be withheld for ever, and the other way round lost."""
    for name, keys in KEYS.items():
        fixed = TABLES[name].fixed
        rows = read_publish_rows(home, f"publish_{name}", [PERIODS[0].key])
        for key in keys:
            if key in fixed and name != "topics":
                assert set(rows[key]) == set(fixed[key]), (name, key)


def test_rules_and_names_are_the_studys_and_the_codebooks() -> None:
    """Two places that know a threshold drift apart one day."""
    import yaml

    said = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())["vars"]
    codebook = shipped_codebook()
    assert tuple(said["affective_types"]) == study.AFFECTIVE_TYPES == codebook["affective_type"].category_ids
    assert tuple(said["roleplay_types"]) == study.ROLEPLAY_TYPES
    assert tuple(said["talk_types"]) == study.TALK_TYPES
    assert tuple(said["pushback_kinds"]) == codebook["pushback"].category_ids
    assert tuple(said["sentiment_levels"]) == tuple(study.SENTIMENT_LEVELS) == codebook["sentiment"].category_ids
    assert {c.id: c.number for c in codebook["sentiment"].categories} == study.SENTIMENT_LEVELS
    assert said["roleplay_min_human_messages"] == study.ROLEPLAY_MIN_HUMAN_MESSAGES
    assert said["sentiment_min_human_messages"] == study.SENTIMENT_MIN_HUMAN_MESSAGES
    assert {band: least for band, (least, _) in LENGTHS.items()} == dict(
        zip(said["length_bands"], (0, said["sentiment_min_human_messages"]), strict=True)
    )
    assert said["sentiment_edge_messages"] == study.SENTIMENT_EDGE_MESSAGES
    assert (said["min_coded"], said["min_coded_a_side"]) == (correction.MIN_CODED, correction.MIN_CODED_A_SIDE)


def test_sources_are_the_lakes_tables(manifest: dict) -> None:
    """Dagster joins dbt to its assets by these names; and dbt has no business with what a conversation is about."""
    from dagster_project.storage import lake

    sources = {(s["source_name"], s["name"]) for s in manifest["sources"].values()}
    assert sources == {("lake", table) for table in lake.TABLES if table not in ("descriptions", "coder_answers")}


def test_reading_takes_only_the_periods_asked_for(home: Home) -> None:
    """A release of one week must not see another's rows."""
    rows = read_publish_rows(home, "publish_funnel", ["2026-W42"])
    assert rows["period_key"].unique().to_list() == ["2026-W42"]
    assert isinstance(rows, pl.DataFrame)
    with pytest.raises(KeyError):
        read_publish_rows(home, "int_conversations", [])
