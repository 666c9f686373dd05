"""What the topics of a home are made with, from its settings and policy. Not here: the work (`period_topics.py`)."""

from dagster_project.storage.topic_models import TopicModels
from dagster_project.topics.fitting import TopicLimits
from dagster_project.topics.period_topics import TopicWork
from dagster_project.topics.versions import Schedule
from dagster_project.workspace import Workspace


def topic_work(workspace: Workspace) -> TopicWork:
    """Of an opened home. Raises HomeError where its key is unsafe."""
    rules, chosen = workspace.policy.rules, workspace.settings.topics
    return TopicWork(
        lake=workspace.lake,
        models=TopicModels(workspace.home),
        embed=workspace.vectors.embed,
        limits=TopicLimits(
            rules.min_topic_users, rules.min_topic_conversations, workspace.policy.max_conversations_per_user
        ),
        key=workspace.home.key(),
        schedule=Schedule(chosen.span_days, chosen.refit_days, chosen.drift),
    )
