"""The declared sets of conversations of made-up populations, counted afresh from what the sets mean.

Not here: populations (`populations.py`), what is declared (`domain/disclosure/relations.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from dagster_project.domain.disclosure.editions import PARTED
from dagster_project.domain.disclosure.relations import set_of
from dagster_project.domain.disclosure.sets import Set
from dagster_project.domain.study import ROLEPLAY_TYPES, TALK_TYPES
from dagster_project.domain.tables import TABLES
from tests.support.populations import FACETS, KINDS, OF_ALL, Talk, band_of, cells_of, denominators_of

FACET_ROWS = [
    {"facet": facet, "value": value, "affective_type": of, "of_facet": base, "values_told": told, "suppressed": False}
    for facet, (base, told, values) in FACETS.items()
    for value in values
    for of in (*(["all"] if facet == OF_ALL else []), "any", *TALK_TYPES)
]
SHOWN = {**{name: [{"suppressed": False}] for name in PARTED}, "facets": FACET_ROWS}
"""As published, for what is told apart only where something of it is."""


def sets_of(talk: Talk) -> set[Set]:
    """Every declared set that a conversation is in, from what the sets mean."""
    out = {
        set_of(name, dict(zip(TABLES[name].keys, keys, strict=True)))
        for name, keys in cells_of(talk)
        if name != "topics"
    }
    denominators = dict.fromkeys(("pushback", "topics", "long_conversations"), frozenset[str]())
    facets = {keys for name, keys in denominators_of(talk) if name == "facets"}
    out |= {("facet_of", of, facet) for facet, of in facets}
    for name, keys in denominators_of(talk):
        if keys and name != "facets":
            denominators[name] = denominators[name] | {keys[0]}
        if name == "drift":
            out.add(("ends", "known"))
    out |= {("asked", of) for of in denominators["pushback"]} | {("analysed", of) for of in denominators["topics"]}
    out |= {("untold", of) for of in denominators["topics"] - denominators["pushback"]}
    if denominators["topics"] and not talk.ends:
        out.add(("ends", "unknown"))
    out |= {("short", of) for of in denominators["topics"] if not talk.long}
    for facet, (base, told, values) in FACETS.items():
        asked = denominators["topics"] if base is None else {of for of in denominators["pushback"] if talk.pushback}
        asked |= {"all"} if facet == OF_ALL else set()
        out |= {("facet_untold", of, facet) for of in asked if (facet, of) not in facets}
        if told != "one":
            out |= {
                ("facet_not", of, facet, value)
                for f, of in facets
                if f == facet
                for value in values
                if ("facet", of, facet, value) not in out
            }
    out |= {("toneless", of) for of in denominators["topics"] if ("tone", of) not in out}
    for of in denominators["pushback"]:
        for kind in ("any", *KINDS):
            cell = ("pushback", of, kind)
            if (*cell, "any") not in out:
                out.add((*cell, "none"))
            elif (*cell, "late") not in out:
                out.add((*cell, "not_late"))
    if talk.affective & set(ROLEPLAY_TYPES):
        out.add(("screened", "roleplay"))
    known_creation = talk.creation is not None
    if not talk.creation and not (known_creation and talk.types is not None):
        out.add(("screened", "untyped" if known_creation else "unseen"))
    if talk.creation is False and talk.types is not None and not talk.affective:
        out.add(("screened", "plain"))
    return out


def counts_of(talks: Iterable[Talk]) -> dict[tuple[str, Set], int]:
    """Conversations and users of every set."""
    talks = list(talks)
    conversations: Counter[Set] = Counter()
    users: dict[Set, set[int]] = defaultdict(set)
    for talk in talks:
        for name in sets_of(talk):
            conversations[name] += 1
            users[name].add(talk.user)
    affective = Counter(talk.user for talk in talks if talk.affective)
    for user, n in affective.items():
        own: list[Set] = [("band", band_of(n)), *(("band_from", str(j)) for j in (2,) if n >= j)]
        for name in own:
            conversations[name] += n
            users[name].add(user)
    return defaultdict(
        int, {("n", s): n for s, n in conversations.items()} | {("u", s): len(own) for s, own in users.items()}
    )
