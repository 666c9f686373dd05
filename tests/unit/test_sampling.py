"""The sample for coders: a wrong probability biases every corrected figure, and nobody would see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.sampling import allocate, draw

KEY = bytes(range(32))
sizes = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 120), min_size=1)


@given(sizes, st.integers(1, 800))
def test_all_asked_for_are_taken_and_no_stratum_gives_more_than_it_has(sizes: dict[str, int], n: int) -> None:
    taken = allocate(sizes, n)
    assert sum(taken.values()) == min(n, sum(sizes.values()))
    assert all(0 <= taken[name] <= sizes[name] for name in taken)


def test_rare_strata_are_taken_whole_and_large_ones_are_not_starved() -> None:
    """The bad day: 30 rare conversations among 100,000, and a sample of 400 has none of them."""
    taken = allocate({"rare": 25, "some": 2_000, "most": 100_000}, 400)
    assert taken["rare"] == 25
    assert 30 < taken["some"] < taken["most"] < 350


@given(sizes.filter(lambda s: any(s.values())), st.integers(1, 300))
def test_weights_add_up_to_the_strata(sizes: dict[str, int], n: int) -> None:
    """1 / probability, summed over the chosen of a stratum, is the stratum: else shares are of something else."""
    strata = {name: [f"{name}{i}" for i in range(size)] for name, size in sizes.items()}
    drawn = draw(strata, n, KEY, "s1")
    for name in {d.stratum for d in drawn}:
        own = [d for d in drawn if d.stratum == name]
        assert sum(1 / d.inclusion_probability for d in own) == pytest.approx(sizes[name])
    assert len({d.conversation_key for d in drawn}) == len(drawn)


def test_the_choice_is_the_key_s_alone() -> None:
    """Repeatable at home, whatever the order; another key or another sample chooses others."""
    strata = {"x": [f"c{i}" for i in range(200)]}
    turned = {"x": list(reversed(strata["x"]))}
    one = draw(strata, 20, KEY, "s1")
    assert one == draw(turned, 20, KEY, "s1")
    assert one != draw(strata, 20, bytes(reversed(KEY)), "s1")
    assert one != draw(strata, 20, KEY, "s2")


def test_each_is_chosen_as_often_as_it_is_said() -> None:
    """Over many samples, each of a stratum about n / N times."""
    strata = {"x": [f"c{i}" for i in range(40)]}
    counts = dict.fromkeys(strata["x"], 0)
    for k in range(400):
        for d in draw(strata, 10, KEY, f"s{k}"):
            counts[d.conversation_key] += 1
    assert min(counts.values()) > 60 and max(counts.values()) < 145


def test_nothing_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        allocate({"x": 5}, 0)
