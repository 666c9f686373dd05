"""The published tables, declared once: keys, measures, types, descriptions, and how each is protected.

Lives here: what CONTRACT-bound columns a release has, in order, and which candidate rows they are made from.
From it come the suppressor, the writer's schemas, DuckDB comments and the tests of suites and dbt models. Not
here: what a column is (`columns.py`), thresholds (`policy/`), the rules that apply them (`domain/disclosure/`), the
numbers (dbt).
"""

from __future__ import annotations

from dagster_project.domain.columns import Column, Kind, Role, Table
from dagster_project.domain.study import AFFECTIVE_TYPES, TALK_TYPES

STANDS_FOR = "in a two-phase sample, as many as it stands for"
NOT_WEIGHTED = "in a two-phase sample, those of it alone"


def _n_conversations(what: str) -> Column:
    text = f"Counted conversations {what}, rounded; {STANDS_FOR}."
    return Column("n_conversations", Kind.COUNT, Role.CONVERSATIONS, text)


def _n_users(what: str) -> Column:
    text = f"Distinct users with a counted conversation {what}, rounded; {NOT_WEIGHTED}."
    return Column("n_users", Kind.COUNT, Role.USERS, text)


def _of(what: str) -> tuple[Column, Column]:
    return (
        Column("of_conversations", Kind.COUNT, Role.CONVERSATIONS, f"{what}, rounded; {STANDS_FOR}."),
        Column("of_users", Kind.COUNT, Role.USERS, f"Users of these, rounded; {NOT_WEIGHTED}."),
    )


def _ends(measure: str, stem: str, what: str, bounds: tuple[int, int] = (0, 1)) -> tuple[Column, Column]:
    text = f"end of the 95 % interval of {what}, rounded outward to the declared grid."
    return (
        Column(f"{stem}_low", Kind.NUMBER, Role.LOW, f"Lower {text}", measure, bounds),
        Column(f"{stem}_high", Kind.NUMBER, Role.HIGH, f"Upper {text}", measure, bounds),
    )


TOO_FEW = "null where people labelled too few conversations"


def _corrected(measure: str, what: str) -> tuple[Column, Column, Column]:
    """A share corrected for the labeller's error, and its ends. what: "share" in words."""

    def column(name: str, role: Role, text: str) -> Column:
        return Column(name, Kind.NUMBER, role, f"{text}; {TOO_FEW}.", measure)

    return (
        column(f"corrected_{measure}", Role.CORRECTED, f"The {what} corrected for the classifier's error"),
        column("corrected_low", Role.CORRECTED_LOW, f"Lower end of the corrected {what}'s 95 % interval"),
        column("corrected_high", Role.CORRECTED_HIGH, f"Upper end of the corrected {what}'s 95 % interval"),
    )


def _corrected_mean(name: str, of: str, bounds: tuple[int, int]) -> Column:
    text = (
        f"{of} corrected for the labeller's error, on a grid as wide as the labelled conversations are few; {TOO_FEW}."
    )
    return Column(name, Kind.NUMBER, Role.MEAN, text, bounds=bounds, among="coded")


PREVALENCE = Table(
    name="prevalence",
    description="One row per period and category: how many of all counted conversations are of it.",
    columns=(
        Column("category", Kind.TEXT, Role.KEY, "all, unknown, content_creation, affective or an affective type."),
        _n_conversations("of the category"),
        _n_users("of the category"),
        Column("share", Kind.NUMBER, Role.SHARE, "Share (0 to 1) of all counted conversations, on the declared grid."),
        *_ends("share", "share", "the share, clustered by user"),
        *_corrected("share", "share"),
    ),
    fixed={
        "category": (
            "all",
            "unknown",
            "content_creation",
            "affective",
            *AFFECTIVE_TYPES,
            "companionship_or_roleplay",
        )
    },
    denominator="of_conversations",
    for_small_organisations=True,
    total={"category": "all"},
)

FUNNEL = Table(
    name="funnel",
    description="One row per period and step: how many conversations are left after each of the study's exclusions.",
    columns=(
        Column("step", Kind.TEXT, Role.KEY, "all, not_content_creation, affective or analysed."),
        _n_conversations("left at the step"),
        _n_users("left at the step"),
    ),
    fixed={"step": ("all", "not_content_creation", "affective", "analysed")},
    denominator="of_conversations",
    total={"step": "all"},
)

TOPICS = Table(
    name="topics",
    description="One row per period, affective type and topic large enough to be shown; smaller topics have no row.",
    columns=(
        Column("affective_type", Kind.TEXT, Role.KEY, "Affective type within which the topic was found."),
        Column("topic_id", Kind.TEXT, Role.KEY, "Random id; it says nothing of size or order."),
        Column("parent_topic_id", Kind.TEXT, Role.ABOUT, "Id of the published topic above it, if there is one."),
        Column("level", Kind.COUNT, Role.ABOUT, "Level in the hierarchy of topics; 0 is the top."),
        Column("topic_name", Kind.TEXT, Role.ABOUT, "Name made from terms that many users of the topic share."),
        _n_conversations("of the topic"),
        _n_users("of the topic"),
        Column("share", Kind.NUMBER, Role.SHARE, "Share (0 to 1) of the type's analysed conversations, on the grid."),
    ),
    fixed={"affective_type": TALK_TYPES},
    denominator="of_conversations",
    is_topic=True,
)

PUSHBACK = Table(
    name="pushback",
    description="One row per period, affective type, kind of pushback and position in the conversation.",
    columns=(
        Column("affective_type", Kind.TEXT, Role.KEY, "any (each analysed conversation once) or an affective type."),
        Column("kind", Kind.TEXT, Role.KEY, "any (has any event) or the kind of event."),
        Column("position", Kind.TEXT, Role.KEY, "any, or the third of the assistant's turns with the first of it."),
        _n_conversations("with it"),
        _n_users("with it"),
        Column(
            "of_conversations",
            Kind.COUNT,
            Role.CONVERSATIONS,
            f"Analysed conversations of the type, rounded; {STANDS_FOR}.",
        ),
        Column(
            "of_users",
            Kind.COUNT,
            Role.USERS,
            f"Users with an analysed conversation of the type, rounded; {NOT_WEIGHTED}.",
        ),
        Column("rate", Kind.NUMBER, Role.SHARE, "n_conversations of of_conversations (0 to 1), on the declared grid."),
        *_ends("rate", "rate", "the rate, clustered by user"),
        *_corrected("rate", "rate"),
    ),
    fixed={
        "affective_type": ("any", *TALK_TYPES),
        "kind": ("any", "refusal", "safety", "boundary", "challenge", "correction", "other"),
        "position": ("any", "early", "middle", "late"),
    },
    denominator="of_conversations",
    is_sensitive=True,
)

SENTIMENT = Table(
    name="sentiment",
    description="One row per period and affective type: how the tone of long enough conversations moves.",
    columns=(
        Column("affective_type", Kind.TEXT, Role.KEY, "any (each analysed conversation once) or an affective type."),
        _n_conversations("with at least six human messages of known tone"),
        _n_users("with at least six human messages of known tone"),
        Column(
            "sentiment_start",
            Kind.NUMBER,
            Role.MEAN,
            "Mean tone (-1 to 1) of the first three human messages, on the declared grid.",
            bounds=(-1, 1),
        ),
        Column(
            "sentiment_end",
            Kind.NUMBER,
            Role.MEAN,
            "Mean tone (-1 to 1) of the last three human messages, on the declared grid.",
            bounds=(-1, 1),
        ),
        Column(
            "sentiment_change",
            Kind.NUMBER,
            Role.MEAN,
            "Mean of end minus start (-2 to 2), rounded by itself: it may differ from the rounded ends by a step.",
            bounds=(-2, 2),
        ),
        *_ends("sentiment_change", "change", "sentiment_change, clustered by user", (-2, 2)),
        Column("tone_first", Kind.NUMBER, Role.MEAN, "Mean tone (-1 to 1) of the first human message.", bounds=(-1, 1)),
        Column(
            "tone_next",
            Kind.NUMBER,
            Role.MEAN,
            "Mean tone (-1 to 1) of the second and third human message.",
            bounds=(-1, 1),
        ),
        Column(
            "later_change",
            Kind.NUMBER,
            Role.MEAN,
            "Mean (-2 to 2) of the last three minus the second and third, the first message left out.",
            bounds=(-2, 2),
        ),
        *_ends("later_change", "later", "later_change, clustered by user", (-2, 2)),
        _corrected_mean("corrected_start", "sentiment_start", (-1, 1)),
        _corrected_mean("corrected_end", "sentiment_end", (-1, 1)),
        _corrected_mean("corrected_change", "sentiment_change", (-2, 2)),
        *_ends("corrected_change", "corrected_change", "corrected_change, clustered by user", (-2, 2)),
    ),
    fixed={"affective_type": ("any", *TALK_TYPES)},
    denominator="n_conversations",
    is_rate=False,
    is_sensitive=True,
)

AGREEMENT = Table(
    name="agreement",
    description="One row per period and facet that people labelled: how far the labeller agrees with them.",
    columns=(
        Column("facet", Kind.TEXT, Role.KEY, "content_creation, affective_type (any of them), each type, or pushback."),
        Column("labeller", Kind.TEXT, Role.ABOUT, "Who labelled the conversations that people labelled too."),
        Column("n_labelled", Kind.COUNT, Role.CONVERSATIONS, "Counted conversations that people labelled, rounded."),
        Column("accuracy", Kind.NUMBER, Role.MEAN, "Share on which both agree, weighted to all, on the declared grid."),
        Column(
            "precision",
            Kind.NUMBER,
            Role.MEAN,
            "Share of what the labeller finds that people find too, weighted, on the grid; null where it finds few.",
            among="predicted",
        ),
        Column(
            "recall",
            Kind.NUMBER,
            Role.MEAN,
            "Share of what people find that the labeller finds too, weighted, on the grid; null where they find few.",
            among="true",
        ),
        Column(
            "f1",
            Kind.NUMBER,
            Role.MEAN,
            "Harmonic mean of precision and recall, rounded by itself; null where few were found.",
            among="either",
        ),
        Column(
            "kappa",
            Kind.NUMBER,
            Role.MEAN,
            "Cohen's kappa (-1 to 1), weighted, on the declared grid; null where few were found.",
            bounds=(-1, 1),
            among="either",
        ),
        *_ends("kappa", "kappa", "kappa, clustered by user", (-1, 1)),
    ),
    fixed={
        "facet": ("content_creation", "affective_type", *(f"affective_type.{t}" for t in AFFECTIVE_TYPES), "pushback")
    },
    denominator="n_labelled",
    is_rate=False,
    is_weighted=False,
)

LENGTHS = {"under_6": (0, 5), "6_or_more": (6, None)}
"""Bands of length: the fewest and the most human messages. Six is what a conversation's tone is told from."""
GROUPS = {"length": tuple(LENGTHS), "affective_type": TALK_TYPES}
_MEASURES = ("labeller", "n_labelled", "accuracy", "f1", "kappa", "kappa_low", "kappa_high")

AGREEMENT_BY = Table(
    name="agreement_by",
    description="One row per period, facet that people labelled, dimension and group: agreement within the group.",
    columns=(
        next(c for c in AGREEMENT.columns if c.name == "facet"),
        Column(
            "dimension",
            Kind.TEXT,
            Role.KEY,
            "length (human messages; the groups make up the facet), or of pushback affective_type (groups overlap).",
        ),
        Column("group_name", Kind.TEXT, Role.KEY, "under_6 or 6_or_more human messages, or the labeller's type."),
        *(next(c for c in AGREEMENT.columns if c.name == name) for name in _MEASURES),
    ),
    fixed={
        "facet": AGREEMENT.fixed["facet"],
        "dimension": tuple(GROUPS),
        "group_name": tuple(group for groups in GROUPS.values() for group in groups),
    },
    denominator="n_labelled",
    is_rate=False,
    is_weighted=False,
    only=tuple(
        (facet, dimension, group)
        for facet in AGREEMENT.fixed["facet"]
        for dimension, groups in GROUPS.items()
        # Within what the labeller calls a type, every screen facet has one answer alone: its kappa would be 0 always.
        if dimension == "length" or facet == PUSHBACK.name
        for group in groups
    ),
)

NONE_OF_THESE = "none_of_these"
ENDS = (*AFFECTIVE_TYPES, NONE_OF_THESE)
"""What a conversation may mainly be about at one of its ends."""


DRIFT = Table(
    name="drift",
    description="One row per period, type at the start and type at the end of a conversation.",
    columns=(
        Column("start_type", Kind.TEXT, Role.KEY, "What is mainly sought in the first third: a type, or none of them."),
        Column("end_type", Kind.TEXT, Role.KEY, "What is mainly sought in the last third: a type, or none of them."),
        _n_conversations("that start and end so"),
        _n_users("that starts and ends so"),
        Column("share", Kind.NUMBER, Role.SHARE, "Share (0 to 1) of the conversations with both ends known."),
        *_of("Analysed conversations of which both ends could be told"),
        *_ends("share", "share", "the share, clustered by user"),
    ),
    fixed={"start_type": ENDS, "end_type": ENDS},
    denominator="of_conversations",
    is_sensitive=True,
)

LONG_CONVERSATIONS = Table(
    name="long_conversations",
    description="One row per period and affective type: how many conversations are very long (50 human messages).",
    columns=(
        Column("affective_type", Kind.TEXT, Role.KEY, "any (each analysed conversation once) or an affective type."),
        _n_conversations("of the type with at least 50 human messages"),
        _n_users("of the type with at least 50 human messages"),
        Column("share", Kind.NUMBER, Role.SHARE, "Share (0 to 1) of the type's analysed conversations, on the grid."),
        *_of("Analysed conversations of the type"),
        *_ends("share", "share", "the share, clustered by user"),
    ),
    fixed={"affective_type": ("any", *TALK_TYPES)},
    denominator="of_conversations",
    is_sensitive=True,
)

BANDS = {"1": (1, 1), "2": (2, 2), "3_or_more": (3, None)}
"""Bands of use: the fewest and the most counted affective conversations of a user in the period."""

USAGE_BANDS = Table(
    name="usage_bands",
    description="One row per period and band: users by how many of their counted conversations are affective.",
    columns=(
        Column("band", Kind.TEXT, Role.KEY, "Counted affective conversations of the user in the period."),
        Column("n_users", Kind.COUNT, Role.USERS, "Distinct users of the band, rounded."),
        Column(
            "share_of_users",
            Kind.NUMBER,
            Role.SHARE,
            "Share (0 to 1) of the users with a counted affective conversation, on the grid.",
        ),
        Column("of_users", Kind.COUNT, Role.USERS, "Users with a counted affective conversation, rounded."),
        *_ends("share_of_users", "share", "the share, each user one trial"),
    ),
    fixed={"band": tuple(BANDS)},
    denominator="of_users",
    is_sensitive=True,
)

EVERY = "all"
FACET_TYPES = (EVERY, "any", *TALK_TYPES)
ONE, ONE_OR_MORE, ANY_NUMBER = "one", "one_or_more", "any_number"
"""How many of a facet's values a conversation of its denominator has."""

FACETS = Table(
    name="facets",
    description="One row per period, facet without a table of its own, value and affective type.",
    columns=(
        Column("facet", Kind.TEXT, Role.KEY, "Facet of the codebook, the organisation's own included."),
        Column("value", Kind.TEXT, Role.KEY, "Category of the facet; several may hold of a conversation."),
        Column(
            "affective_type",
            Kind.TEXT,
            Role.KEY,
            "all (counted conversations of every kind), any (each analysed conversation once) or an affective type.",
        ),
        _n_conversations("with the value"),
        _n_users("with the value"),
        Column("share", Kind.NUMBER, Role.SHARE, "Share (0 to 1) of the conversations the facet applies to."),
        *_ends("share", "share", "the share, clustered by user"),
        *_of("Conversations that the facet applies to and was told of"),
        Column(
            "of_facet", Kind.TEXT, Role.ABOUT, "Facet whose events it describes: only conversations with one count."
        ),
        Column(
            "values_told", Kind.TEXT, Role.ABOUT, "How many values one conversation has: one, one_or_more, any_number."
        ),
    ),
    fixed={"affective_type": FACET_TYPES},
    denominator="of_conversations",
    is_sensitive=True,
    families=("facet",),
)

NOISY_USERS = Table(
    name="noisy_users",
    description="One row per period and category, where differential privacy is switched on: users, with noise.",
    columns=(
        Column("category", Kind.TEXT, Role.KEY, "The categories of prevalence."),
        Column(
            "n_users_noisy",
            Kind.COUNT,
            Role.NOISY,
            "Distinct users with a counted conversation of the category, with discrete Laplace noise; never below 0.",
        ),
        Column("epsilon", Kind.NUMBER, Role.NOISY, "What the period's noisy counts cost together, by user."),
        Column("accuracy", Kind.NUMBER, Role.NOISY, "The noise is larger than this with a chance of at most 5 %."),
    ),
    fixed=PREVALENCE.fixed,
    denominator="n_users_noisy",
    is_rate=False,
)
"""Not one of `TABLES`: noise protects it, no threshold does, and it has rows only where it is asked for."""

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        PREVALENCE, FUNNEL, TOPICS, PUSHBACK, SENTIMENT, DRIFT, LONG_CONVERSATIONS, USAGE_BANDS, FACETS, AGREEMENT,
        AGREEMENT_BY,
    )
}  # fmt: skip
PUBLISHED: dict[str, Table] = {**TABLES, NOISY_USERS.name: NOISY_USERS}
"""Every table that a release may hold."""
