"""What may be read out of a text: common words, never a name, an address, a number or a method."""

import pytest

from dagster_project.domain.topics.terms import terms
from dagster_project.topics.vocabulary import load_vocabulary

NAMES = (
    "john mary grace mark hope faith rose dawn will frank smith johnson garcia nguyen muhammad wei priya hunter mason "
    "paris london china turkey jordan chelsea victoria carter taylor olga ahmed mohammed sofia"
)


def read(text: str) -> set[str]:
    return terms(text, load_vocabulary())


def test_words_and_neighbouring_pairs_are_read() -> None:
    assert {"job", "interview", "job interview"} <= read("My job interviews went badly.")


def test_a_pair_never_spans_a_comma_a_stopword_or_a_line() -> None:
    found = read("a husband, divorce\nwedding with salary")
    assert {"husband", "divorce", "wedding", "salary"} <= found
    assert not [term for term in found if " " in term]


@pytest.mark.parametrize(
    "text",
    [
        "grace@husband.com",
        "husband.divorce@mail.com",
        "https://husband.example/divorce",
        "www.husband.com",
        "husband_divorce",
        "husband2divorce",
        "@husband",
        "#divorce",
        "5551234",
    ],
)
def test_nothing_inside_an_address_a_handle_or_a_number_is_a_word(text: str) -> None:
    assert read(f"so {text} then") == set()


@pytest.mark.parametrize("name", NAMES.split())
def test_names_of_people_and_places_are_not_words(name: str) -> None:
    assert read(f"i met {name} there") == set()
    assert read(f"I met {name.title()} there") == set()


def test_a_capital_inside_a_sentence_is_taken_for_a_name() -> None:
    assert "summer" in read("last summer")
    assert read("I told Summer that") == set()
    assert "summer" in read("Summer came.")


@pytest.mark.parametrize(
    "text", ["overdose", "razor", "pills", "noose", "hanging", "gun", "commit suicide", "kill myself"]
)
def test_methods_of_self_harm_are_never_terms(text: str) -> None:
    assert text not in read(f"about {text} again")
    assert "suicide" in read("suicide of a friend")


def test_look_alike_letters_and_direction_marks_make_no_word() -> None:
    assert read("husb\u0430nd") == set()
    assert read("\u202edivorce\u202c") <= {"divorce"}
    assert read("hus\u200bband") <= {"band"}
    assert read("ｈｕｓｂａｎｄ") == {"husband"}


def test_every_listed_word_is_plain() -> None:
    known = load_vocabulary()
    assert len(known.words) > 30_000
    assert all(w.isascii() and all(part.isalpha() and part.islower() for part in w.split("-")) for w in known.words)
    assert all(len(part) < 4 or part in known.words for w in known.words if "-" in w for part in w.split("-"))
    assert known.nouns | known.adjectives <= known.words, "a list of an older vocabulary would call nouns loose"


@pytest.mark.parametrize(
    ("text", "said", "unsaid"),
    [
        ("my mother-in-law came", {"mother-in-law"}, {"law", "mother"}),
        ("My mother in law's cooking", {"mother-in-law", "cooking"}, {"law", "mother", "mother-in-law cooking"}),
        ("both sisters-in-law", {"sister-in-law"}, {"law", "sister"}),
        ("the co-workers and a half-brother", {"co-worker", "half-brother", "worker", "brother"}, {"half"}),
        ("low self esteem", {"self-esteem"}, {"self"}),
        ("husband-divorce", {"husband", "divorce"}, {"husband-divorce"}),
        ("razor-sharp and commit-suicide", {"suicide"}, {"razor", "razor-sharp", "commit-suicide", "commit suicide"}),
        ("Jean-Claude-Husband", set(), {"husband"}),
    ],
)
def test_a_known_hyphenated_word_is_whole(text: str, said: set[str], unsaid: set[str]) -> None:
    """Cut apart, half of a word tells of something that nobody wrote about."""
    assert said <= read(text)
    assert not unsaid & read(text)


def test_a_pair_is_a_noun_and_what_stands_before_it() -> None:
    """Two words that merely met (slept six, bought concert, neighbour piano) read as nonsense in a name."""
    found = read("Slept badly, bought concert tickets for the neighbour's piano evening. A social anxiety, a grey coat")
    assert {"concert ticket", "social anxiety", "grey coat", "piano evening"} <= found
    assert not {"slept badly", "bought concert", "neighbour piano"} & found


@pytest.mark.parametrize(
    ("term", "loose"),
    [
        ("interview", False), ("job interview", False), ("sleep", False), ("mother-in-law", False), ("burnout", False),
        ("wrote", True), ("died", True), ("quiet", True), ("confident", True), ("drop", True), ("missing", True),
    ],
)  # fmt: skip
def test_verbs_participles_and_adjectives_are_known(term: str, loose: bool) -> None:
    assert load_vocabulary().is_loose(term) is loose


@pytest.mark.parametrize(
    ("term", "tells"),
    [
        ("drug-addicted", True),
        ("diabetes", True),
        ("insulin diabetes", True),
        ("migraines", True),
        ("job", False),
        ("anxiety", False),
    ],
)
def test_words_of_disease_medication_and_method_are_known(term: str, tells: bool) -> None:
    assert load_vocabulary().tells_of_health(term) is tells


def test_every_word_of_health_could_be_in_a_name() -> None:
    """A misspelt entry would protect nobody, unnoticed."""
    known = load_vocabulary()
    assert len(known.conditions) > 200 and known.conditions <= known.words
