"""An opened home: its settings, policy and codebook, read once, and the things a run works with.

Lives here: opening a home and refusing an unsafe one. Not here: what a run does (`assets/`), the state of its
days (`days.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.classifiers.cache import CachedClassifier, VectorCache
from dagster_project.classifiers.interface import Answers
from dagster_project.codebook.loader import Codebook, load_codebook
from dagster_project.home import Home, HomeError
from dagster_project.policy.loader import Policy
from dagster_project.settings import Settings, read_settings
from dagster_project.storage.lake import Lake
from dagster_project.storage.landing import Landing
from dagster_project.storage.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from dagster_project.classifiers.local.classifier import LocalClassifier
    from dagster_project.storage.request_ledger.ledger import RequestLedger


@dataclass(frozen=True)
class Workspace:
    """One opened home. Raises ConfideError on opening when the home, a setting or the policy is unsafe."""

    home: Home
    settings: Settings
    policy: Policy
    codebook: Codebook

    @classmethod
    def open(cls, root: Path) -> "Workspace":
        """Open the home at `root`. Raises HomeError, SettingsError, PolicyError or CodebookError."""
        home = Home(root.absolute())
        if not home.exists:
            raise HomeError(f"{root} is not a Confide home: run `confide --home {root} init`")
        home.require_private()
        settings = read_settings(home.settings_file)
        home.key()
        return cls(
            home=home,
            settings=settings,
            policy=Policy.resolve(settings.policy.profile, settings.policy.overrides()),
            codebook=load_codebook(
                *(home.root / folder for folder in settings.codebook.folders), optional=settings.codebook.optional
            ),
        )

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.home)

    @cached_property
    def landing(self) -> Landing:
        return Landing(self.home)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.home.key())

    @cached_property
    def vectors(self) -> VectorCache:
        """The embedder, with what it has embedded before; classification and topics share it."""
        from dagster_project.classifiers.local.embedder import MiniLM

        keyed = self.pseudonyms.content
        return VectorCache(MiniLM(), self.home.cache / "vectors.sqlite", lambda text: keyed([text]))

    @cached_property
    def topic_vectors(self) -> VectorCache:
        """What embeds for topics, in the same file of vectors. Raises EmbedderError where it is not installed."""
        from dagster_project.topics.embedders import embedder_of

        other = embedder_of(self.settings.topics)
        return self.vectors if other is None else VectorCache(other, self.vectors.path, self.vectors.hash_of)

    @property
    def asks_claude(self) -> bool:
        """Whether conversations are sent to a model behind the Messages API."""
        return self.settings.classifier.kind == "claude"

    @property
    def control_share(self) -> float:
        """The share of the other conversations that the detail stage looks at as controls."""
        return self.settings.claude.control_share if self.asks_claude else 0.0

    @property
    def screens_in_two_phases(self) -> bool:
        """Whether the screen asks about a sample of the conversations below the cut only."""
        return self.settings.screening.mode == "two_phase"

    @cached_property
    def cheap_score(self) -> "LocalClassifier":
        """The embedded model, whose probability of an affective type decides the strata of two-phase screening."""
        from dagster_project.classifiers.local.classifier import LocalClassifier

        return LocalClassifier(embedder=self.vectors)

    @property
    def sample_design(self) -> dict[str, Any]:
        """How the screen chooses whom to ask about, as the manifest says it."""
        chosen = self.settings.screening
        if not self.screens_in_two_phases:
            return {"mode": chosen.mode}
        score = f"{self.cheap_score.labeller}: probability of an affective type"
        return {"mode": chosen.mode, "cut": chosen.cut, "sample_rate": chosen.sample_rate, "score": score}

    def answers(self, stage: str) -> Answers:
        """The labeller that the settings choose for a stage, with its memory; it costs nothing until it is asked."""
        return self._answers[stage if self.asks_claude else "every"]

    @cached_property
    def _answers(self) -> Mapping[str, Answers]:
        if self.asks_claude:
            from dagster_project.classifiers.claude.answers import claude_answers

            return claude_answers(self.settings, lambda: self.ledger, self.home.tmp)
        from dagster_project.classifiers.local.classifier import LocalClassifier

        local = LocalClassifier(sentiment_scope="edges", embedder=self.vectors)
        return {"every": CachedClassifier(local, self.home.cache / "answers.sqlite")}

    @cached_property
    def ledger(self) -> "RequestLedger":
        """The ledger of requests: the home's own, or the one that the settings name. Raises LedgerError."""
        from dagster_project.storage.database import sqlite_url
        from dagster_project.storage.request_ledger.ledger import RequestLedger

        chosen = self.settings.ledger
        url = chosen.url or sqlite_url(self.home.request_ledger)
        key_file = self.home.root / chosen.key_file if chosen.key_file else None
        if key_file is None and not url.startswith("sqlite"):
            key_file = self.home.key_file.with_name("ledger.key")
        return RequestLedger.open(url, key_file)
