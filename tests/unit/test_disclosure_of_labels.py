"""What people's labels add to a release is withheld where few people stand behind it: corrected figures and agreement."""

from typing import Any

import pytest

from dagster_project.domain.disclosure.candidates import CandidateError
from dagster_project.domain.disclosure.suppression import publishable, suppress
from dagster_project.domain.tables import AGREEMENT_BY
from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK, Cell, candidate_rows, counts, rated, spread, tone
from tests.support.populations import judged

RULES = Policy.resolve().rules
CODED = {
    **{f"coded_{side}_{unit}": 60 for side in ("yes", "no") for unit in ("users", "conversations")},
    "true_of_yes": 0.75, "true_of_yes_low": 0.63, "true_of_yes_high": 0.84,
    "true_of_no": 0.004, "true_of_no_low": 0.001, "true_of_no_high": 0.02,
}  # fmt: skip


def corrected(cell: Cell) -> tuple[Any, ...]:
    (row,) = publishable(
        {"prevalence": [{"period_key": WEEK.key, "category": "affective", **cell}]}, {"prevalence": [None]}, RULES
    )["prevalence"]
    return tuple(row[f"corrected_{end}"] for end in ("share", "low", "high"))


def test_a_corrected_share_is_made_of_published_numbers_and_tells_no_count() -> None:
    """The bad day: behind equal published shares stand 58 and 62 conversations, and the corrected ones tell which."""
    cells = [rated(40, n, 300, 600 - n) | {"share_low": 0.08, "share_high": 0.13} | CODED for n in (58, 59, 60, 61, 62)]
    assert len({corrected(cell) for cell in cells}) == 1
    (value, low, high) = corrected(cells[0])
    assert low < value < high and value < 0.1


def test_a_corrected_rate_at_the_end_of_the_scale_is_left_out() -> None:
    """ "Nobody who was asked about this met pushback" says the same of every one of them."""
    cell = (
        rated(40, 60) | CODED | {"true_of_yes": 0.0, "true_of_yes_low": 0.0, "true_of_no": 0.0, "true_of_no_low": 0.0}
    )
    keys = {"affective_type": "any", "kind": "any", "position": "any"}
    for found, shown in ((cell, False), (rated(40, 60) | CODED, True)):
        (row,) = publishable({"pushback": [{"period_key": WEEK.key, **keys, **found}]}, {"pushback": [None]}, RULES)[
            "pushback"
        ]
        assert row["rate"] is not None
        assert {row[c] is not None for c in ("corrected_rate", "corrected_low", "corrected_high")} == {shown}


@pytest.mark.parametrize(
    ("users", "conversations", "mean", "shown"),
    [(9, 60, 0.23, False), (10, 14, 0.23, False), (10, 50, 1.0, False), (10, 50, 0.23, True)],
)
def test_corrected_tone_is_told_of_enough_people_on_a_grid_of_its_own(
    users: int, conversations: int, mean: float, shown: bool
) -> None:
    """Prevents what few people's messages sounded like from showing, and a fine grid from telling their sum."""
    coded = {
        "coded_users": users, "coded_conversations": conversations, "corrected_start": mean, "corrected_end": mean,
        "corrected_change": 2 * mean, "corrected_change_low": 2 * mean - 0.1, "corrected_change_high": 2 * mean + 0.1,
    }  # fmt: skip
    (row,) = publishable(
        {"sentiment": [{"period_key": WEEK.key, "affective_type": "any", **tone(100, 150), **coded}]},
        {"sentiment": [None]},
        RULES,
    )["sentiment"]
    assert row["sentiment_start"] is not None
    told = [row[c] for c in coded if c.startswith("corrected")]
    assert {value is not None for value in told} == {shown}
    if shown:
        assert row["corrected_start"] == 0.2, "in steps of 0.1: base 5 of 50 labelled conversations"


@pytest.mark.parametrize("side", ["yes", "no"])
@pytest.mark.parametrize(("users", "conversations"), [(9, 60), (10, 14), (10, 15)])
def test_a_correction_by_few_people_s_conversations_is_withheld(side: str, users: int, conversations: int) -> None:
    """What nine people's conversations were found to be must not show in a published share."""
    few = {f"coded_{side}_users": users, f"coded_{side}_conversations": conversations}
    shown = corrected(rated(40, 60) | CODED | few)
    assert (None not in shown) == (users >= 10 and conversations >= 15)
    assert shown == (None, None, None) or None not in shown


def test_no_corrected_share_stands_without_the_raw_one() -> None:
    """A withheld cell is withheld whole: its corrected share would say what was not to be said."""
    rows = candidate_rows(WEEK)
    for row in rows["prevalence"]:
        row |= CODED
        if row["category"] == "coaching":
            row |= rated(9, 80)
    for row in suppress(rows, RULES)["prevalence"]:
        assert row["corrected_share"] is None or row["share"] is not None
        if row["category"] == "coaching":
            assert row["suppressed"] and row["corrected_share"] is None


@pytest.mark.parametrize(
    ("group", "lost"),
    [("predicted", ["precision"]), ("true", ["recall"]), ("either", ["f1", "kappa", "kappa_low", "kappa_high"])],
)
def test_a_measure_of_few_people_is_withheld_by_itself(group: str, lost: list[str]) -> None:
    """A precision over nine people tells of nine people; accuracy over all of them may stay."""
    cell = counts(spread(80, 90)) | judged(90, 80) | {f"{group}_users": 9}
    (row,) = publishable(
        {"agreement": [{"period_key": WEEK.key, "facet": "affective_type", **cell}]}, {"agreement": [None]}, RULES
    )["agreement"]
    assert [name for name, value in row.items() if value is None] == lost
    assert row["n_labelled"] == 90 and row["labeller"] == "local-test"


def test_a_precision_does_not_pin_its_numerator() -> None:
    """The bad day: 0.74 of about 40 conversations is 28 of 38 and nothing else."""

    def precision(hits: int) -> object:
        cell = counts(spread(250, 265)) | judged(265, 250) | {"predicted_conversations": 38, "predicted_users": 30}
        rows = [{"period_key": WEEK.key, "facet": "affective_type", **cell, "precision": hits / 38}]
        return publishable({"agreement": rows}, {"agreement": [None]}, RULES)["agreement"][0]["precision"]

    assert len({precision(hits) for hits in range(20, 39)}) <= 5


def test_agreement_is_withheld_with_the_figure_that_it_stands_beside() -> None:
    """Accuracy, precision and recall together tell how many were predicted: of a withheld cell, too."""
    rows = candidate_rows(WEEK)
    for row in rows["prevalence"]:
        if row["category"] == "coaching":
            row |= rated(9, 80)
    found = {row["facet"]: row for row in suppress(rows, RULES)["agreement"]}
    assert found["affective_type.coaching"]["suppressed"] and found["affective_type.coaching"]["accuracy"] is None
    assert not found["affective_type"]["suppressed"] and not found["pushback"]["suppressed"]


def test_groups_are_withheld_with_the_agreement_and_the_rate_that_they_stand_beside() -> None:
    """Of a withheld facet its groups would tell everything, and those of a type how often it meets pushback."""
    rows = candidate_rows(WEEK)
    for row in rows["prevalence"]:
        if row["category"] == "content_creation":
            row |= rated(9, 80)
    for row in rows["pushback"]:
        if row["affective_type"] == "coaching":
            row |= rated(9, 80)
    released = suppress(rows, RULES)
    found = {(row["facet"], row["dimension"], row["group_name"]): row for row in released["agreement_by"]}
    assert list(found) == AGREEMENT_BY.grid()
    hidden = {keys for keys, row in found.items() if row["suppressed"]}
    assert {("content_creation", "length", band) for band in ("under_6", "6_or_more")} <= hidden
    assert ("pushback", "affective_type", "coaching") in hidden
    assert found["affective_type", "length", "under_6"]["n_labelled"] == 240
    assert found["pushback", "affective_type", "companionship"]["kappa"] is not None


@pytest.mark.parametrize(("users", "n"), [(9, 20), (12, 14), (4, 4)])
def test_a_small_group_cannot_be_had_from_the_facets_total(users: int, n: int) -> None:
    """The bad day: 400 labelled, 390 of them long, and the ten others are withheld in name only."""
    rows = candidate_rows(WEEK)
    small, rest = counts(spread(users, n)) | judged(n, users), counts(spread(298, 400 - n)) | judged(400 - n, 298)
    for row in rows["agreement_by"]:
        if row["dimension"] == "length" and row["facet"] != "pushback":
            row |= small if row["group_name"] == "6_or_more" else rest
        if row["dimension"] == "length" and row["facet"] == "pushback":
            row |= (
                counts([]) | judged(0, 0)
                if row["group_name"] == "6_or_more"
                else counts(spread(80, 90)) | judged(90, 80)
            )
    released = suppress(rows, RULES)
    assert not any(row["suppressed"] for row in released["agreement"])
    lengths = [row for row in released["agreement_by"] if row["dimension"] == "length"]
    assert all(row["suppressed"] for row in lengths)


def test_groups_that_do_not_belong_to_their_facet_stop_the_release() -> None:
    """Prevents a group that nobody declared relations for, or one that is missing, from being judged by guesswork."""
    for change, words in (({"group_name": "coaching"}, "belong together"), (None, "holes")):
        rows = candidate_rows(WEEK)
        row = next(r for r in rows["agreement_by"] if r["dimension"] == "length")
        row.update(change) if change else rows["agreement_by"].remove(row)
        with pytest.raises(CandidateError, match=words):
            suppress(rows, RULES)
