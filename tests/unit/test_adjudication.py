"""One answer out of several: a rule that decides by chance would be corrected by, and published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.adjudication import UNTOLD, Coded, adjudicate
from dagster_project.domain.labels import Status

A, B, NOTHING = Coded(Status.OK, frozenset({"a"})), Coded(Status.OK, frozenset({"b"})), Coded()
AB = Coded(Status.OK, frozenset({"a", "b"}))

CASES = [
    ({"x": A}, False, A, "single"),
    ({"x": A, "y": A}, False, A, "agreed"),
    ({"x": A, "y": B}, False, UNTOLD, "disputed"),
    ({"x": A, "y": B, "z": A}, False, A, "majority"),
    ({"x": A, "y": B, "z": NOTHING}, False, UNTOLD, "disputed"),
    ({"x": A, "y": B, "adjudicator": NOTHING}, False, NOTHING, "adjudicator"),
    ({"x": A, "y": UNTOLD}, False, UNTOLD, "disputed"),
    ({"x": A, "y": UNTOLD, "z": UNTOLD}, False, UNTOLD, "majority"),
    ({"x": AB, "y": A, "z": A}, True, A, "majority"),
    ({"x": AB, "y": A}, True, UNTOLD, "disputed"),
    ({"x": AB, "y": B, "z": A}, True, AB, "majority"),
    ({"x": A, "y": B, "z": NOTHING}, True, NOTHING, "majority"),
]


@pytest.mark.parametrize(("answers", "several", "expected", "how"), CASES)
def test_more_than_half_decide_or_nobody(answers: dict[str, Coded], several: bool, expected: Coded, how: str) -> None:
    got = adjudicate(answers, several)
    assert (got.answer, got.how, got.n_coders) == (expected, how, len(answers))


@given(
    st.permutations(["x", "y", "z", "w"]),
    st.lists(st.sampled_from([A, B, AB, NOTHING, UNTOLD]), min_size=4, max_size=4),
    st.booleans(),
)
def test_who_is_named_first_does_not_matter(names: list[str], given_: list[Coded], several: bool) -> None:
    answers = dict(zip("xyzw", given_, strict=True))
    assert adjudicate(answers, several) == adjudicate({name: answers[name] for name in names}, several)


def test_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        adjudicate({}, False)
