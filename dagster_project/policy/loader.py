"""Reads the policy file and resolves a profile and settings into one frozen policy, or refuses.

Lives here: which settings exist, the policy's digest, and how far the file itself may be changed by hand. Not here:
the numbers and their reasons (`policy.yaml`), what they do to a cell (`domain/disclosure/`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_project.domain.columns import Table
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.errors import ConfideError

POLICY_FILE = Path(__file__).with_name("policy.yaml")


LEAST: dict[str, int | Decimal] = {
    "hard_floor.min_users": 5,
    "hard_floor.min_conversations": 15,
    "hard_floor.min_topic_users": 5,
    "hard_floor.min_topic_conversations": 15,
    "hard_floor.rounding_base": 5,
    "fixed.topic_rounding_base": 10,
    "fixed.small_organisation_users": 250,
}
MOST: dict[str, int | Decimal] = {
    "ceiling.max_conversations_per_user": 50,
    "fixed.max_top_user_share": Decimal("0.25"),
    "fixed.max_top_two_share": Decimal("0.50"),
}
FINEST_STEP = Decimal("0.001")
"""The policy file is data and can be edited or replaced: what it says may be stricter than this, never weaker."""


class PolicyError(ConfideError):
    """A policy that may not be used; one line that names the setting, its value and its limit."""


class Reasoned(BaseModel):
    """Why a number is what it is, since when, and the decision record that argues it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: date
    reason: str = Field(min_length=10)
    decision: str = Field(pattern=r"^[a-z0-9-]+$")


class Threshold(Reasoned):
    """A count."""

    value: int = Field(ge=1)


class Share(Reasoned):
    """A share of a whole, 0 to 1."""

    value: Decimal = Field(gt=0, lt=1)


class Steps(Reasoned):
    """Grid steps, each of which divides 1, so that 0 and 1 lie on every grid."""

    value: tuple[Decimal, ...] = Field(min_length=1)


class Floor(BaseModel):
    """The settings that may not be smaller."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_users: Threshold
    min_conversations: Threshold
    min_topic_users: Threshold
    min_topic_conversations: Threshold
    rounding_base: Threshold


class Ceiling(BaseModel):
    """The settings that may not be larger."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_conversations_per_user: Threshold


class Profile(Floor):
    """Every setting of the policy."""

    max_conversations_per_user: Threshold


class Fixed(BaseModel):
    """What no setting changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic_rounding_base: Threshold
    max_top_user_share: Share
    max_top_two_share: Share
    small_organisation_users: Threshold
    grid_steps: Steps


class PolicyFile(BaseModel):
    """The policy file as written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hard_floor: Floor
    ceiling: Ceiling
    profiles: dict[str, Profile]
    fixed: Fixed


@dataclass(frozen=True)
class Policy:
    """The resolved policy of one run. `overrides` are the settings that replaced a profile's numbers."""

    profile: str
    overrides: Mapping[str, int]
    rules: Rules
    max_conversations_per_user: int

    @classmethod
    def resolve(
        cls, profile: str = "default", overrides: Mapping[str, int | None] | None = None, file: Path = POLICY_FILE
    ) -> "Policy":
        """A profile with settings laid over it; None leaves the profile's number.

        Raises PolicyError on an unknown profile or setting, on a number under the hard floor or over the
        ceiling, and when the policy file is missing or unreadable.
        """
        written = read_policy(file)
        if profile not in written.profiles:
            raise PolicyError(f"[policy] profile = {profile!r} does not exist: choose {', '.join(written.profiles)}")
        chosen = {name: value for name, value in (overrides or {}).items() if value is not None}
        numbers = {name: getattr(written.profiles[profile], name).value for name in Profile.model_fields}
        for name, value in chosen.items():
            if name not in numbers:
                raise PolicyError(f"[policy] {name} is not a setting of the policy: there are {', '.join(numbers)}")
            if isinstance(value, bool) or not isinstance(value, int):
                raise PolicyError(f"[policy] {name} must be a whole number")
            numbers[name] = value
        _refuse_weaker(numbers, written)
        return cls(
            profile=profile,
            overrides=dict(sorted(chosen.items())),
            rules=_rules(numbers, written.fixed),
            max_conversations_per_user=numbers["max_conversations_per_user"],
        )

    def suite_parameters(self, table: Table) -> dict[str, float]:
        """What an expectation suite of this table is parameterised with."""
        least = self.rules.of(table)
        return {
            "min_users": least.users,
            "min_conversations": least.conversations,
            "rounding_base": least.base,
            "finest_step": float(min(self.rules.grid_steps)),
        }

    def as_manifest(self) -> dict[str, Any]:
        """The policy as a release's manifest states it: every number in force, and their digest."""
        return {"digest": self.digest, **self._stated()}

    @property
    def digest(self) -> str:
        """SHA-256 over every number in force: equal digests mean equal treatment."""
        return hashlib.sha256(json.dumps(self._stated(), sort_keys=True).encode()).hexdigest()

    def _stated(self) -> dict[str, Any]:
        numbers = {
            name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(self.rules).items()
        }
        numbers["grid_steps"] = [str(step) for step in self.rules.grid_steps]
        return {
            "profile": self.profile,
            "overrides": dict(self.overrides),
            "max_conversations_per_user": self.max_conversations_per_user,
            **numbers,
        }


def read_policy(file: Path = POLICY_FILE) -> PolicyFile:
    """The policy file, checked. Raises PolicyError when it is missing, unreadable or its profiles are weak."""
    try:
        written = PolicyFile.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError:
        raise PolicyError(f"the policy file {file} cannot be read: nothing may be published without it") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PolicyError(f"{file.name}: {where}: {first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise PolicyError(f"{file.name}: not readable as YAML") from None
    if any(1 % step for step in written.fixed.grid_steps.value) or 1 not in written.fixed.grid_steps.value:
        raise PolicyError(f"{file.name}: fixed.grid_steps: every step must divide 1, and 1 must be the widest")
    _refuse_weaker_file(written, file.name)
    for profile in written.profiles.values():
        _refuse_weaker({name: getattr(profile, name).value for name in Profile.model_fields}, written)
    return written


def _refuse_weaker_file(written: PolicyFile, name: str) -> None:
    for place, limit in (LEAST | MOST).items():
        section, key = place.split(".")
        value = Decimal(getattr(getattr(written, section), key).value)
        if value < limit if place in LEAST else value > limit:
            raise PolicyError(f"{name}: {place} = {value} is weaker than {limit}, beyond which no file may go")
    if (finest := min(written.fixed.grid_steps.value)) < FINEST_STEP:
        raise PolicyError(f"{name}: fixed.grid_steps: {finest} is finer than the finest that is allowed, {FINEST_STEP}")


def _refuse_weaker(numbers: Mapping[str, int], written: PolicyFile) -> None:
    for name in Floor.model_fields:
        floor = getattr(written.hard_floor, name).value
        if numbers[name] < floor:
            raise PolicyError(f"[policy] {name} = {numbers[name]} is weaker than the hard floor of {floor}: raise it")
    for name in Ceiling.model_fields:
        ceiling = getattr(written.ceiling, name).value
        if not 1 <= numbers[name] <= ceiling:
            raise PolicyError(f"[policy] {name} = {numbers[name]} is not between 1 and {ceiling}: change it")


def _rules(numbers: Mapping[str, int], fixed: Fixed) -> Rules:
    return Rules(
        **{name: numbers[name] for name in Floor.model_fields},
        topic_rounding_base=max(fixed.topic_rounding_base.value, numbers["rounding_base"]),
        max_top_user_share=fixed.max_top_user_share.value,
        max_top_two_share=fixed.max_top_two_share.value,
        small_organisation_users=fixed.small_organisation_users.value,
        grid_steps=tuple(sorted(fixed.grid_steps.value)),
    )
