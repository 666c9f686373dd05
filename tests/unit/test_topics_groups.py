"""Groups: planted ones are found, small ones join a sibling, copies count once."""

import numpy as np
import pytest

from dagster_project.domain.topics.duplicates import PASTED, REWORDED, Duplicates, signature, voices
from dagster_project.domain.topics.groups import (
    assign,
    candidate_numbers,
    merge_small,
    unit,
)
from dagster_project.domain.topics.swaps import moved
from dagster_project.topics.clustering import best_clusters, spherical_kmeans


def planted(k: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = unit(random.normal(size=(k, 384)).astype(np.float32))
    truth = random.integers(0, k, n)
    return unit((centres[truth] + 0.05 * random.normal(size=(n, 384))).astype(np.float32)), truth


@pytest.mark.parametrize("k", [2, 5, 9])
def test_planted_groups_are_recovered_and_their_number(k: int) -> None:
    vectors, truth = planted(k, 1500)
    centres = best_clusters(vectors, candidate_numbers(1500, 25), seed=7)
    assert k <= len(centres) <= k + 1, "a group may be cut in two, at little loss of clarity"
    labels, distance = assign(vectors, centres)
    assert len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == len(centres)
    assert distance.min() >= -1e-6
    assert distance.max() < 1


def test_clustering_twice_gives_equal_bytes() -> None:
    vectors, _ = planted(4, 400)
    assert spherical_kmeans(vectors, 4, seed=3).tobytes() == spherical_kmeans(vectors, 4, seed=3).tobytes()


def test_fewer_vectors_than_clusters_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 vectors"):
        spherical_kmeans(np.eye(3, 384, dtype=np.float32), 4, seed=1)


def test_too_few_users_leave_no_number_of_topics_to_try() -> None:
    assert candidate_numbers(199, 25) == []
    assert candidate_numbers(200, 25) == [2]
    numbers = candidate_numbers(10**6, 25)
    assert numbers[0] == 2
    assert numbers[-1] == 40
    assert numbers == sorted(set(numbers))


def test_a_small_group_joins_its_nearest_sibling_rather_than_vanish() -> None:
    centres = unit(np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 0, 1]], dtype=np.float32))
    members = np.repeat(centres, [50, 3, 40], axis=0)

    def small(now: np.ndarray) -> list[int]:
        sizes = np.bincount(assign(members, now)[0], minlength=len(now))
        return [int(i) for i in sizes.argsort(kind="stable") if sizes[i] < 10]

    merged = merge_small(members, centres, small)
    assert np.bincount(assign(members, merged)[0]).tolist() == [53, 40]


def test_a_text_with_a_word_changed_is_a_copy_and_another_text_is_not() -> None:
    text = " ".join(f"word{c}" for c in "abcdefghijklmnopqrstuvwxyz").replace("word", "w")
    duplicates = Duplicates(PASTED)
    first = duplicates.group(signature(text))
    assert duplicates.group(signature(text.upper() + " 12345!!")) == first
    assert duplicates.group(signature(text.replace("wz", "other"))) == first
    assert duplicates.group(signature("an entirely different thing that somebody wrote about sleep")) != first
    assert duplicates.group(signature("")) == duplicates.group(signature("123"))


def test_one_voice_a_user_and_one_a_text() -> None:
    users = ["heavy"] * 100 + ["a", "b", "c"]
    groups = {i: i for i in range(100)} | {100: 200, 101: 200, 102: 300}
    assert voices(range(103), users, groups) == [0, 100, 102]


def test_a_poor_optimum_is_left_two_centres_of_one_group_are_parted() -> None:
    """k-means never leaves it by itself: one topic would be shown as two, and two as one."""
    vectors, truth = planted(5, 1000, seed=3)
    right = unit(np.stack([vectors[truth == i].mean(axis=0) for i in range(5)]))
    poor = np.stack([right[0], unit(right[:1] + 0.01)[0], right[1], right[2], unit((right[3] + right[4])[None])[0]])
    better = moved(vectors, poor.astype(np.float32))
    assert better is not None
    assert sorted((better @ right.T).max(axis=0) > 0.8) == [True] * 5
    assert moved(vectors, right) is None, "and a good one is not"


def test_many_planted_groups_are_found_without_restarts() -> None:
    from sklearn.metrics import adjusted_rand_score

    vectors, truth = planted(40, 4000, seed=8)
    labels, _ = assign(vectors, spherical_kmeans(vectors, 40, seed=2))
    assert adjusted_rand_score(truth, labels) > 0.98


def test_what_was_found_before_is_kept_where_it_still_fits_and_left_where_it_does_not() -> None:
    """Else nine tenths of the same conversations are cut at other places, and series end for nothing."""
    vectors, truth = planted(6, 900, seed=9)
    right = unit(np.stack([vectors[truth == i].mean(axis=0) for i in range(6)]))
    part = vectors[np.random.default_rng(4).permutation(900)[:810]]
    alone = best_clusters(part, range(2, 10), seed=1)
    again = best_clusters(part, range(2, 10), seed=1, known=right)
    assert (again * right).sum(axis=1).min() > 0.99, "the same topics in the same order, moved a little"
    assert len(alone) >= 6
    two = unit(np.stack([right[:3].mean(axis=0), right[3:].mean(axis=0)]))
    assert len(best_clusters(part, range(2, 10), seed=1, known=two)) >= 6, "two topics of before do not hide six"


@pytest.mark.parametrize(("length", "changed"), [(10, 1), (15, 2), (20, 2), (26, 1), (30, 3)])
def test_copies_of_a_short_text_are_few_voices_though_each_has_words_changed(length: int, changed: int) -> None:
    """Prevents accounts that write one person's words with some changed from bringing these into a topic's name."""
    random = np.random.default_rng(length + changed)
    letters = "abcdefghijklmnopqrst"
    common = [a + b for a in letters for b in letters[:8]]
    copied = [str(word) for word in random.choice(common, length - 3, replace=False)]
    copies, own = Duplicates(REWORDED), Duplicates(REWORDED)
    of_copies = set()
    for _ in range(80):
        said = list(copied)
        for at in random.choice(len(said), changed, replace=False):
            said[at] = str(random.choice(common))
        of_copies.add(copies.group(signature(" ".join([*said, "harpsichord", "ventriloquist", "lobster"]))))
    assert len(of_copies) < 10
    others = [" ".join(random.choice(common, length, replace=False)) for _ in range(80)]
    assert len({own.group(signature(text)) for text in others}) == 80
