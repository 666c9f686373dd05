"""Names: shared terms alone, distinct among siblings, and a filter that has the last word."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.topics.keyed import Keyed
from dagster_project.domain.topics.name_filter import UNNAMED, filtered, is_allowed, plain_list
from dagster_project.domain.topics.naming import (
    Needed,
    Support,
    borne_out,
    condition_minimum,
    distinct_terms,
    names,
    of_children,
    telling,
)

K = Needed(25, 50)


def ranked(topic_id: str, made: Support, needed: Needed) -> list[str]:
    return list(telling(topic_id, made, needed))


KEYED = Keyed(bytes(range(32)), "2026-W41", "coaching")


def support(**topics: dict[str, int]) -> Support:
    """People by topic and term; each topic has 100 people."""
    made = Support()
    for topic, counts in topics.items():
        for person in range(100):
            made.add(topic, {term for term, n in counts.items() if person < n})
    return made


@pytest.mark.parametrize(("n", "named"), [(24, False), (25, True), (26, True)])
def test_a_term_needs_its_own_support_to_the_person(n: int, named: bool) -> None:
    made = support(a={"salary": n}, b={"sleep": 60})
    assert (ranked("a", made, K) == ["salary"]) is named


@pytest.mark.parametrize(("n", "named"), [(25, False), (49, False), (50, True)])
def test_a_word_of_health_needs_twice_the_support(n: int, named: bool) -> None:
    """Whoever is known to be of the topic is told to be ill with it, as likely as its people are few."""
    made = support(a={"diabetes": n, "salary": 25}, b={})
    made.conditions = {"diabetes"}
    assert ("diabetes" in ranked("a", made, K)) is named and "salary" in ranked("a", made, K)


def test_a_parent_says_of_health_what_a_child_may_say_and_adds_up_nothing() -> None:
    """Forty in each of two children are eighty in the parent, and still no name may tell of them."""
    for each, named in ((49, False), (50, True)):
        above = support(up={"diabetes": 2 * 49, "salary": 90}, other={})
        below = support(one={"diabetes": each}, two={"diabetes": 49})
        above.conditions = below.conditions = {"diabetes"}
        above.without_inherited({"up": {"one": K, "two": K}}, below)
        assert ("diabetes" in ranked("up", above, K)) is named
        assert "salary" in ranked("up", above, K)


def test_a_pair_is_not_carried_by_its_words() -> None:
    made = support(a={"job": 80, "search": 80, "job search": 24}, b={})
    assert "job search" not in ranked("a", made, K)


def test_what_everybody_says_names_nothing() -> None:
    made = support(a={"people": 90, "salary": 40}, b={"people": 90, "sleep": 40})
    assert ranked("a", made, K) == ["salary"]
    assert names(made, {"a": K, "b": K}) == {"a": "Salary", "b": "Sleep"}


def test_siblings_are_told_apart_by_further_terms() -> None:
    common = {"job": 90, "salary": 80, "boss": 70}
    made = support(a={**common, "office": 12}, b={**common, "contract": 12}, c={"sleep": 90}, d={"sleep": 20})
    named = names(made, dict.fromkeys("abcd", Needed(10, 20)))
    assert named["a"] == "Job, salary, boss, office"
    assert named["b"] == "Job, salary, boss, contract"


def test_what_people_say_as_often_in_other_types_of_talk_is_passed_over() -> None:
    """Siblings alone do not tell that everybody's evenings are quiet; where there is nothing else, it has to serve."""
    made = support(a={"evening": 60, "exam": 28}, b={"sleep": 60}, c={"evening": 40})
    assert set(ranked("a", made, K)) == {"evening", "exam"}
    made.people_elsewhere, made.elsewhere = 100, Counter(evening=60)
    assert ranked("a", made, K) == ["exam"]
    assert ranked("c", made, K) == ["evening"]


@pytest.mark.parametrize(("n", "shapes"), [(1, False), (24, False), (25, True)])
def test_fewer_than_k_people_of_other_types_shape_no_name(n: int, shapes: bool) -> None:
    """An attacker of another type of talk would see by the order of a name whether the target is the next to say it."""
    made = support(a={"exam": 28, "boss": 28}, b={})
    made.people_elsewhere = 200
    silent = ranked("a", made, K)
    made.elsewhere = Counter(boss=n)
    assert silent == ["boss", "exam"]
    assert (ranked("a", made, K) != silent) is shapes


def test_a_noun_comes_before_what_is_done_or_how() -> None:
    """ "Quiet, wrote" says nothing of what a topic is about; where no noun is shared, it has to serve."""
    made = support(a={"quiet": 60, "exam": 30, "wrote": 60}, b={})
    made.loose = {"quiet", "wrote"}
    assert ranked("a", made, K) == ["exam", "quiet", "wrote"]
    assert names(support(a={"quiet": 60}, b={}), {"a": K}) == {"a": "Quiet"}


def test_a_parent_is_named_by_its_children_and_only_by_what_it_may_say_itself() -> None:
    made = support(up={"job": 80, "exam": 50, "boss": 40, "rent": 35, "diabetes": 30}, other={"sleep": 60})
    made.conditions = {"diabetes"}
    children = {"up": [{"rent": 0.3, "job": 0.1}, {"diabetes": 0.9, "exam": 0.2}, {"boss": 0.5}, {"salary": 0.4}]}
    assert names(made, {"up": K}, children=children) == {"up": "Boss, rent, exam"}
    assert names(made, {"up": K}) == {"up": "Job, exam, boss"}


@given(st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1)), max_size=5), st.permutations("abcdef"))
def test_the_order_of_children_never_tells_which_is_larger(children: list[dict[str, float]], own: list[str]) -> None:
    terms = of_children(own, children)
    assert sorted(terms) == sorted(own), "nothing but what the parent may say, each once"
    assert terms == of_children(own, list(reversed(children)))


def test_a_name_has_room_for_ten_words() -> None:
    """A list of many hyphenated words was refused whole, and the topic had no name."""
    long = ["mother-in-law cooking", "word-of-mouth offer", "sister wedding", "cost-of-living crisis", "rent"]
    assert is_allowed(plain_list(distinct_terms(long)))


def test_a_topic_without_a_shared_term_gets_a_neutral_name() -> None:
    assert names(support(a={"salary": 3}, b={}), {"a": K, "b": K}) == {"a": UNNAMED, "b": UNNAMED}


def test_a_word_is_not_said_twice() -> None:
    assert distinct_terms(["job search", "job", "searching", "salary"]) == ["job search", "salary"]


@pytest.mark.parametrize(
    "proposed",
    [
        "Call me at a@b.com",
        "See https example",
        "see www example",
        "Visit http://x.y",
        "Number 5551",
        "One two three four five six seven eight nine ten eleven",
        "Divorce\u202e",
        "Divorce\n",
        "Div\u043erce",
        "Divorce\x00",
        "Zero\u200bwidth",
        "<b>Divorce</b>",
        "=SUM",
        "",
    ],
)
def test_the_filter_has_the_last_word(proposed: str) -> None:
    assert filtered(proposed, ["divorce"], ["divorce"]) == "Divorce"
    assert filtered(proposed, [], []) == UNNAMED


def test_ten_words_and_three_digits_pass() -> None:
    assert is_allowed("One two three four five six seven eight nine ten")
    assert is_allowed("Plan 123")
    assert plain_list(["job search", "interview"]) == "Job search, interview"


def test_jitter_is_above_the_minimum_keyed_and_at_most_a_fifth() -> None:
    """At the minimum itself, k − 1 accounts of an attacker would see the one other person who used a term."""
    values = {KEYED.jittered(25, f"topic{i}") for i in range(200)}
    assert values == {26, 27, 28, 29, 30}
    assert KEYED.jittered(25, "x") == KEYED.jittered(25, "x")
    other = Keyed(bytes(32), "2026-W41", "coaching")
    assert [KEYED.jittered(25, str(i)) for i in range(20)] != [other.jittered(25, str(i)) for i in range(20)]


def test_the_jitter_of_words_of_health_is_another_one() -> None:
    """With the same draw, where a plain word of an attacker appears would tell where the other one would."""
    drawn = {
        (KEYED.jittered(25, str(i)) - 25, KEYED.jittered(condition_minimum(25), str(i), "", "jitter/condition") - 51)
        for i in range(400)
    }
    assert len(drawn) == 55, "every pair of five and eleven steps"
    assert min(condition for _, condition in drawn) == 1, "so that 50 accounts and one more person are one too few"


def test_ids_depend_on_members_key_and_period_but_not_on_order() -> None:
    assert KEYED.topic_id(["a", "b"]) == KEYED.topic_id(["b", "a"])
    assert KEYED.topic_id(["a", "b"]) != KEYED.topic_id(["a"])
    assert KEYED.topic_id(["a"]) != Keyed(bytes(32), "2026-W41", "coaching").topic_id(["a"])
    assert KEYED.topic_id(["a"]) != Keyed(bytes(range(32)), "2026-W42", "coaching").topic_id(["a"])


@pytest.mark.parametrize(
    ("said", "published"),
    [
        ("Salary and job search", "Salary and job search"),
        ("Job search, salary", "Job search, salary"),
        ("Searching for a job", "Job search, salary"),
        ("Salary talks of Martin", "Job search, salary"),
        ("The patient has diabetes", "Job search, salary"),
        ("", "Job search, salary"),
    ],
)
def test_a_model_may_order_and_join_the_terms_and_say_nothing_of_its_own(said: str, published: str) -> None:
    """Every other word of a hostile or helpful model is one that fewer than k people need have said."""
    made = support(a={"job search": 60, "salary": 40}, b={"sleep": 60})
    asked: list[list[str]] = []

    def namer(terms: list[str]) -> str:
        asked.append(list(terms))
        return said

    assert names(made, {"a": K}, namer) == {"a": published}
    assert all(set(terms) <= {"job search", "salary"} for terms in asked)
    assert names(made, {"b": Needed(70, 140)}, namer) == {"b": UNNAMED}, "and without a shared term it is not asked"


def in_samples(counts: dict[str, tuple[int, ...]]) -> list[Support]:
    """Samples of thirty people of the topic `a`, by term how many of each share it."""
    made = []
    for n in range(3):
        sample = Support()
        for person in range(30):
            sample.add("a", {term for term, of in counts.items() if person < of[n]})
        made.append(sample)
    return made


def test_a_phrase_has_no_word_that_one_sample_of_people_lacks() -> None:
    """Words of one corner of a topic, put into a phrase, say of everybody what some said."""
    samples = in_samples(
        {"salary": (20, 20, 20), "job search": (9, 9, 9), "kettle": (30, 30, 8), "diabetes": (17, 17, 16)}
    )
    for sample in samples:
        sample.conditions = {"diabetes"}
    assert borne_out("a", ["salary", "job search", "kettle", "diabetes"], samples, K) == ["salary", "job search"]
    whole = support(a={"salary": 60, "kettle": 68, "job search": 27}, b={"sleep": 60})
    asked: list[list[str]] = []

    def leaky(terms: Sequence[str]) -> str:
        asked.append(list(terms))
        return "Salary and kettle"

    assert names(whole, {"a": K}, leaky, samples) == {"a": "Kettle, salary, job search"}, "the plain list"
    assert set(map(tuple, asked)) == {("salary", "job search")}, "the model is not even told of the other word"
    assert names(whole, {"a": K}, lambda terms: "Job search with salary", samples) == {"a": "Job search with salary"}


@given(st.lists(st.text("ab", min_size=1), unique=True, max_size=30), st.integers(2, 4))
def test_samples_share_nobody_and_leave_nobody_out(keys: list[str], n: int) -> None:
    """A person in two samples would bear out their own word twice."""
    dealt = KEYED.samples(keys, n, "2026-10-12")
    assert sorted(i for sample in dealt for i in sample) == list(range(len(keys)))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert dealt == KEYED.samples(keys, n, "2026-10-12")
