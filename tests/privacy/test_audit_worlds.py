"""The privacy audit, end to end: whole homes through the real command line, then scanned and attacked from outside.

In CI one small world with the leaky model; with CONFIDE_AUDIT=long four worlds of 45 days, each with an honest, a leaky
and an obedient model. What was measured is printed, a line a home. Other worlds and canaries: CONFIDE_AUDIT_SEED. Not
here: worlds, playing and judging (`tests/support/audit_*.py`).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from dagster_project.domain.periods import PeriodKind
from tests.support.audit_homes import MODELS, Played, play
from tests.support.audit_scan import Figures, look
from tests.support.audit_worlds import SHAPES, SHORT, make_world
from tests.support.scan import found

pytestmark = pytest.mark.long

LONG = os.environ.get("CONFIDE_AUDIT") == "long"
SEED = int(os.environ.get("CONFIDE_AUDIT_SEED", "1"))
HOMES = [(shape, model) for shape in SHAPES for model in MODELS] if LONG else [(SHORT, "leaky")]
IDS = [f"{shape.name}-{model}".replace(" ", "-") for shape, model in HOMES]
EACH_BY_ITSELF = [pytest.param(h, id=i, marks=pytest.mark.xdist_group(i)) for h, i in zip(HOMES, IDS, strict=True)]
SAFE = 0.95
POINTS = 0.5
K = 10
FEWEST_OF_A_LARGE_ONE = 250


@dataclass
class Audited:
    """A home and what was found of it."""

    played: Played
    figures: Figures


@pytest.fixture(scope="module", params=EACH_BY_ITSELF)
def audited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    shape, model = request.param
    played = play(make_world(shape, SEED), model, tmp_path_factory.mktemp("audit"), briefly=not LONG)
    return Audited(played, look(played))


def test_no_canary_is_in_what_leaves_the_private_places(
    audited: Audited, record_property: Callable[[str, str], None]
) -> None:
    """Prevents a name, an address, a number, an id, a rare subject or an attacker's words from getting out."""
    record_property("measured", audited.figures.line())
    assert audited.figures.n_files > 20 and audited.figures.n_canaries >= 40
    assert audited.figures.hits == []


def test_the_canaries_did_get_in(audited: Audited) -> None:
    """Prevents the scan from passing because the canaries never reached the home, or the model never leaked."""
    home, world = audited.played.home, audited.played.world
    lake = list((home / "private" / "lake").rglob("*.parquet"))
    refused = ("role", "time", "badline")
    unread = (*refused, "key", "created_at", "user_id", "conversation_id")
    for where, canaries in world.canaries.items():
        if where in refused:
            assert found((home / "quarantine").rglob("*.*"), canaries), where
        elif where not in unread:
            assert found(lake, canaries), where
    told = [p for p in lake if p.parts[-3] == "descriptions"]
    assert bool(found(told, world.every_canary)) == (audited.played.model != "plain")


def test_no_count_of_few_people_can_be_had_from_all_releases_together(audited: Audited) -> None:
    """Prevents totals, overlaps, roll-ups and revisions from telling of between one and nine people."""
    assert audited.figures.n_editions > 2
    assert audited.figures.derived == []
    assert audited.figures.attacked == []


def test_what_is_published_is_what_was_planted(audited: Audited) -> None:
    """Prevents an audit of a home that published nothing, or other counts than those that were protected."""
    assert audited.figures.published > 20
    if audited.played.model != "obedient":
        # A small organisation publishes prevalence alone.
        assert (audited.figures.n_agreement > 0) == (audited.played.world.shape.users >= FEWEST_OF_A_LARGE_ONE)
        assert audited.figures.wrong == []


def test_a_group_of_exactly_k_is_published_and_a_smaller_one_is_not(audited: Audited) -> None:
    """Prevents a group of nine from being shown, and one of ten that nothing endangers from being lost."""
    for group, is_shown in audited.figures.groups.items():
        if group.users < K or group.conversations < 15:
            assert audited.played.model == "obedient" or not is_shown, group
        elif audited.played.world.shape.name in ("medium", "short") and audited.played.model != "obedient":
            assert is_shown, group


def test_safe_cells_are_published(audited: Audited) -> None:
    """Prevents protection by publishing nothing."""
    if audited.played.model != "obedient":
        assert audited.figures.safe_share >= SAFE, audited.figures.line()


def test_prevalence_is_near_the_planted_truth(audited: Audited) -> None:
    """Prevents a published share that is off by more than its rounding and the bound on users explain."""
    if audited.played.world.shape.name != "medium" or audited.played.model != "plain":
        return
    for kind in (PeriodKind.MONTH, PeriodKind.WINDOW):
        assert max(of_counted for of_counted, _ in audited.figures.missed[kind]) <= POINTS
