"""An opened home: its settings, policy and codebook, read once, and the things a run works with.

Lives here: opening a home and refusing an unsafe one. Not here: what a run does (`assets/`), the state of its
days (`days.py`).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dagster_project.classifiers.cache import CachedClassifier, VectorCache
from dagster_project.classifiers.interface import Classifier
from dagster_project.codebook.loader import Codebook, load_codebook
from dagster_project.home import Home, HomeError
from dagster_project.policy.loader import Policy
from dagster_project.settings import Settings, read_settings
from dagster_project.storage.lake import Lake
from dagster_project.storage.landing import Landing
from dagster_project.storage.pseudonyms import Pseudonyms


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
        settings = read_settings(home.settings_file)
        home.key()
        return cls(
            home=home,
            settings=settings,
            policy=Policy.resolve(settings.policy.profile, settings.policy.overrides()),
            codebook=load_codebook(*(home.root / folder for folder in settings.codebook.folders)),
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
    def classifier(self) -> Classifier:
        """The labeller that the settings choose; its weights are read when first needed."""
        from dagster_project.classifiers.local.classifier import LocalClassifier

        return LocalClassifier(sentiment_scope="edges", embedder=self.vectors)

    @cached_property
    def answers(self) -> CachedClassifier:
        """The labeller behind the cache of what it answered before."""
        return CachedClassifier(self.classifier, self.home.cache / "answers.sqlite")
