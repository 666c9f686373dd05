"""The policy: no setting may make it weaker than the hard floor, and every number says why it is there."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from dagster_project.domain.tables import FUNNEL, TOPICS
from dagster_project.policy.loader import POLICY_FILE, Policy, PolicyError


@pytest.mark.parametrize(
    ("profile", "cell", "topic"),
    [("default", (10, 15), (25, 50)), ("anthropic", (5, 15), (250, 500)), ("strict", (20, 30), (100, 200))],
)
def test_profiles_have_the_published_thresholds(profile: str, cell: tuple[int, int], topic: tuple[int, int]) -> None:
    rules = Policy.resolve(profile).rules
    assert (rules.min_users, rules.min_conversations) == cell
    assert (rules.min_topic_users, rules.min_topic_conversations) == topic
    assert (rules.rounding_base, rules.topic_rounding_base) == (5, 10)


@pytest.mark.parametrize(
    ("setting", "weakest"),
    [
        ("min_users", 5),
        ("min_conversations", 15),
        ("min_topic_users", 5),
        ("min_topic_conversations", 15),
        ("rounding_base", 5),
    ],
)
@pytest.mark.parametrize("profile", ["default", "anthropic", "strict"])
def test_no_setting_goes_below_the_hard_floor(profile: str, setting: str, weakest: int) -> None:
    """Prevents a release of groups of one because somebody wrote min_users = 1."""
    for weak in (weakest - 1, 1, 0, -10):
        with pytest.raises(PolicyError, match=f"{setting} = {weak} is weaker than the hard floor of {weakest}"):
            Policy.resolve(profile, {setting: weak})
    for allowed in (weakest, weakest + 1):
        assert getattr(Policy.resolve(profile, {setting: allowed}).rules, setting) == allowed


def test_contribution_bound_is_between_one_and_fifty() -> None:
    """Prevents one user from filling a cell that meets every threshold."""
    assert Policy.resolve().max_conversations_per_user == 5
    for bound in (1, 50):
        assert Policy.resolve("default", {"max_conversations_per_user": bound}).max_conversations_per_user == bound
    for bound in (0, 51):
        with pytest.raises(PolicyError, match="max_conversations_per_user"):
            Policy.resolve("default", {"max_conversations_per_user": bound})


@pytest.mark.parametrize(
    ("profile", "overrides", "named"),
    [
        ("lenient", {}, "lenient"),
        ("default", {"max_top_user_share": 1}, "max_top_user_share"),
        ("default", {"small_organisation_users": 1}, "small_organisation_users"),
        ("default", {"min_users": 10.5}, "min_users"),
        ("default", {"min_users": True}, "min_users"),
    ],
)
def test_what_is_no_setting_is_refused(profile: str, overrides: dict[str, int], named: str) -> None:
    """Prevents dominance rules from being switched off by a setting, or a misspelt setting from being ignored."""
    with pytest.raises(PolicyError, match=named) as refusal:
        Policy.resolve(profile, overrides)
    assert "\n" not in str(refusal.value)


def test_a_topic_is_never_weaker_than_a_cell() -> None:
    """Prevents min_users = 60 from leaving named topics of 25 users."""
    rules = Policy.resolve("default", {"min_users": 60, "min_conversations": 90, "rounding_base": 20}).rules
    assert dataclasses.astuple(rules.of(TOPICS))[:3] == (60, 90, 20)
    assert dataclasses.astuple(rules.of(FUNNEL))[:3] == (60, 90, 20)


def test_digest_tells_treatments_apart() -> None:
    """Prevents a manifest that names the same policy for two different treatments."""
    default = Policy.resolve()
    assert default.digest == Policy.resolve("default", {"min_users": None}).digest
    others = [Policy.resolve("strict"), Policy.resolve("default", {"min_users": 11})]
    assert len({p.digest for p in (default, *others)}) == 3
    assert default.as_manifest()["digest"] == default.digest


def test_policy_cannot_be_changed_once_resolved() -> None:
    """Prevents thresholds that differ between suppression and gate."""
    policy = Policy.resolve()
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.rules.min_users = 1  # type: ignore[misc]


def _edited(tmp_path: Path, edit: str, value: object) -> Path:
    written = yaml.safe_load(POLICY_FILE.read_text())
    *path, last = edit.split(".")
    place = written
    for part in path:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(written))
    return file


@pytest.mark.parametrize(
    ("edit", "value"),
    [
        ("profiles.default.min_users.reason", None),
        ("profiles.default.min_users.since", None),
        ("profiles.default.min_users.decision", None),
        ("profiles.default.min_users", None),
        ("profiles.default.min_users.value", 3),
        ("fixed.grid_steps.value", ["0.003", "1"]),
        ("fixed.max_top_user_share.value", "1.5"),
        ("fixed.max_top_user_share", None),
        ("hard_floor", None),
        ("surprise", 1),
    ],
)
def test_a_damaged_policy_file_is_refused(tmp_path: Path, edit: str, value: object) -> None:
    """Prevents publishing under a policy of which a number, or its reason, has been lost."""
    with pytest.raises(PolicyError):
        Policy.resolve(file=_edited(tmp_path, edit, value))


def test_a_missing_policy_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        Policy.resolve(file=tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [")
    with pytest.raises(PolicyError, match="not readable"):
        Policy.resolve(file=tmp_path / "broken.yaml")
