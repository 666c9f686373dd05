"""What the topics of a home are made with, from its settings and policy. Not here: the work (`period_topics.py`)."""

from collections.abc import Callable, Sequence

import numpy as np

from dagster_project.classifiers.cache import VectorCache
from dagster_project.codebook.loader import Codebook
from dagster_project.codebook.schema import Facet
from dagster_project.domain.topics.groups import Vectors
from dagster_project.storage.topic_models import TopicModels
from dagster_project.topics.fitting import TopicLimits
from dagster_project.topics.period_topics import TopicWork
from dagster_project.topics.phrasing import namer_of
from dagster_project.topics.reading import DESCRIPTION, DescribedAs, Description
from dagster_project.topics.versions import Schedule
from dagster_project.workspace import Workspace

WORDS, DESCRIPTIONS = "words-2", "descriptions-1"
"""What is embedded, and how it is put together: another number where that changes, and topics are fitted anew."""


def topic_work(workspace: Workspace) -> TopicWork:
    """Of an opened home. Raises HomeError where its key is unsafe, EmbedderError where the embedder is missing."""
    rules, chosen = workspace.policy.rules, workspace.settings.topics
    vectors = workspace.topic_vectors
    described = describes(workspace.codebook, workspace.answers("detail").measures)
    return TopicWork(
        lake=workspace.lake,
        models=TopicModels(workspace.home),
        embed=vectors.embed,
        limits=TopicLimits(
            rules.min_topic_users, rules.min_topic_conversations, workspace.policy.max_conversations_per_user
        ),
        key=workspace.home.key(),
        schedule=Schedule(chosen.span_days, chosen.refit_days, chosen.drift),
        namer=namer_of(workspace),
        described=described_by(vectors) if described else None,
        embedded=f"{vectors.name}/{DESCRIPTIONS if described else WORDS}",
    )


def describes(codebook: Codebook, measures: Callable[[Facet], bool]) -> bool:
    """Whether the labeller writes a line about each conversation that it looks at in detail."""
    return any(facet.id == DESCRIPTION and measures(facet) for facet in codebook)


def described_by(vectors: VectorCache) -> DescribedAs:
    """Embeds descriptions, kept under the content that they describe: with it they are erased."""

    def embed(lines: Sequence[Description]) -> Vectors:
        made = np.zeros((len(lines), 0), dtype=np.float32)
        for made_by in sorted({line.made_by for line in lines}):
            at = [i for i, line in enumerate(lines) if line.made_by == made_by]
            hashes = [lines[i].content_hash for i in at]
            own = vectors.embed_cached([lines[i].text for i in at], hashes, made_by)
            if not made.shape[1]:
                made = np.zeros((len(lines), own.shape[1]), dtype=np.float32)
            made[at] = own
        return made

    return embed
