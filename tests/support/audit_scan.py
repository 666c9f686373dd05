"""What a finished home tells: canaries, counts known too well, safe cells lost, figures against the planted truth.

Lives here: judging a home from outside, with the world's truth at hand. Not here: scanning files (`scan.py`), the
attacks (`dagster_project/domain/disclosure/audit.py`, `attack_oracle.py`), playing (`audit_homes.py`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from dagster_project.domain.columns import Table
from dagster_project.domain.disclosure.audit import audit
from dagster_project.domain.disclosure.editions import Edition, keys_of
from dagster_project.domain.disclosure.primary import primary
from dagster_project.domain.disclosure.rounding import round_count
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.periods import Period, PeriodKind
from dagster_project.domain.tables import PREVALENCE, TABLES
from dagster_project.home import Home
from dagster_project.release import published_editions
from dagster_project.storage.published import current
from dagster_project.workspace import Workspace
from tests.support.attack_oracle import Oracle, WideOracle
from tests.support.audit_homes import Played
from tests.support.audit_worlds import FIRST, Group
from tests.support.populations import candidate_rows, counted
from tests.support.scan import found, outside_private
from tests.support.screening_cells import NESTED, OUTCOMES, shown_cells

Row = Mapping[str, Any]
Exact = Mapping[str, Sequence[Row]]
SAFE = 3
"""A cell is safe when this many times the fewest users are in it, and outside it."""
TRAPPED = "trapped week"
CLOSE = 30
"""Two published counts farther apart than this tell of nobody by their difference."""


@dataclass
class Figures:
    """What came of the audit of one home. n_*: how many were looked at. safe: cells, and safe_lost: those of them withheld, by kind of period. wrong: published counts that are not the planted
    ones, rounded. missed: the largest errors of prevalence, in points, by kind of period: against the truth of the
    counted conversations, and of all.
    """

    name: str
    n_files: int = 0
    n_canaries: int = 0
    hits: list[str] = field(default_factory=list)
    n_editions: int = 0
    derived: list[str] = field(default_factory=list)
    attacked: list[str] = field(default_factory=list)
    groups: dict[Group, bool] = field(default_factory=dict)
    publishable: int = 0
    complementary: int = 0
    safe: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    safe_lost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    published: int = 0
    wrong: list[str] = field(default_factory=list)
    n_topics: int = 0
    n_agreement: int = 0
    missed: dict[PeriodKind, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0

    @property
    def safe_share(self) -> float:
        """Of the safe cells, the share that is published; the week of the trap, which has to lose some, left out."""
        safe, lost = (sum(n for kind, n in of.items() if kind != TRAPPED) for of in (self.safe, self.safe_lost))
        return 1 - lost / max(safe, 1)

    def line(self) -> str:
        """One line of a table."""
        missed = "; ".join(
            f"{kind.value} {max(c for c, _ in own):.2f}/{max(a for _, a in own):.2f} (mean {sum(c for c, _ in own) / len(own):.2f})"
            for kind, own in self.missed.items()
        )
        safe = ", ".join(f"{kind} {n - self.safe_lost[kind]} of {n}" for kind, n in self.safe.items())
        kept = ", ".join(
            f"{g.users}/{g.conversations} {'shown' if ok else 'withheld'}" for g, ok in self.groups.items()
        )
        return (
            f"{self.name:18} {len(self.hits)} of {self.n_canaries} canaries in {self.n_files} files; "
            f"{len(self.derived)} derived, {len(self.attacked)} by the other attack in {self.n_editions} editions; "
            f"groups {kept or '-'}; safe {100 * self.safe_share:.1f} % ({safe}); "
            f"complementary {100 * self.complementary / max(self.publishable, 1):.1f} % of {self.publishable}; "
            f"{self.published} cells shown, {len(self.wrong)} not as planted; {self.n_topics} topics, {self.n_agreement} agreements; "
            f"points off {missed or '-'}; {self.seconds:.0f} s"
        )


def look(played: Played) -> Figures:
    """Scan, attack and compare a home."""
    began = time.monotonic()
    world = played.world
    figures = Figures(f"{world.shape.name}, {played.model}")
    files = [*outside_private(played.home), played.told]
    canaries = world.every_canary
    figures.n_files, figures.n_canaries = len(files), len(canaries)
    figures.hits = found(files, canaries)
    editions = published_editions(current(Home(played.home)))
    figures.n_editions = len(editions)
    figures.derived = [f"{v.quantity.table}: edition {v.quantity.edition} of its block" for v in audit(editions)]
    figures.attacked = [told for edition in editions for told in attack_screening(edition)]
    counted, everything = _truths(played)
    for edition in editions:
        late = edition.revision > 0
        exact = counted(edition.period, late)
        _judge_cells(figures, edition, exact)
        _judge_prevalence(figures, edition, exact, everything(edition.period, late))
        figures.n_topics += len(edition.published("topics"))
        figures.n_agreement += len(edition.published("agreement"))
    figures.groups = {g: shown for g in world.shape.groups if (shown := _is_shown(g, editions)) is not None}
    figures.seconds = sum(played.seconds.values()) + time.monotonic() - began
    return figures


def attack_screening(edition: Edition) -> list[str]:
    """Cells of screening that an attack which knows nothing of the audit learns too much of."""
    rules, bound = edition.rules, edition.max_conversations_per_user
    shown, withheld = shown_cells(edition.rows)  # type: ignore[arg-type]
    if not shown:
        return []
    k = rules.min_users
    oracle: Oracle = (Oracle if bound == 1 else WideOracle)(
        OUTCOMES, bound, shown, k, rules.min_conversations, rules.rounding_base
    )
    close = [
        (a, b)
        for a, b in NESTED
        if a in shown and b in shown
        and min(shown[b].conversations - shown[a].conversations, shown[b].users - shown[a].users) <= CLOSE
    ]  # fmt: skip
    told = [*oracle.under_protected(sorted(withheld), k), *(f"{b} - {a}" for a, b in oracle.revealed(close, k))]
    return [f"{edition.period.key} revision {edition.revision}: {one}" for one in told]


Truth = Callable[[Period, bool], Exact]


def _truths(played: Played) -> tuple[Truth, Truth]:
    """The planted truth of a period, with or without the late conversations: of those counted, and of all."""
    key_of = Workspace.open(played.home).pseudonyms.conversation
    keys = {name: key_of(name) for name in played.world.truth}
    late = {row["conversation_id"] for row in (*played.world.few, *played.world.late)}

    in_order = partial(counted, named=lambda talk: keys[talk.name])

    def rows(bound: int, period: Period, with_late: bool) -> Exact:
        talks = [t for name, t in played.world.truth.items() if with_late or name not in late]
        return candidate_rows(talks, [period], bound, in_order)

    bound = published_editions(current(Home(played.home)))[0].max_conversations_per_user
    return partial(rows, bound), partial(rows, 10**9)


def is_safe(table: Table, row: Row, users: int, rules: Rules) -> bool:
    """Whether a cell is so large, and so is what lies outside it, that it ought to be published. users: of the period."""
    if users < rules.small_organisation_users and not table.for_small_organisations:
        return False
    least, n = rules.of(table), row["n_conversations"]
    dominated = row["top_user_conversations"] > rules.max_top_user_share * n
    dominated |= row["top_two_conversations"] > rules.max_top_two_share * n
    outside = row["rest_users"] if table.is_rate and not table.is_total(row) else SAFE * rules.min_users
    enough = row["n_users"] >= SAFE * least.users and n >= SAFE * least.conversations
    return enough and outside >= SAFE * rules.min_users and not dominated


def _judge_cells(figures: Figures, edition: Edition, exact: Exact) -> None:
    rules = edition.rules
    is_trapped = edition.period.kind is PeriodKind.WEEK and edition.period.start == FIRST
    kind = TRAPPED if is_trapped else edition.period.kind.value
    decided = primary(exact, rules)
    (users,) = [row["n_users"] for row in exact["prevalence"] if PREVALENCE.is_total(row)]
    for name, table in TABLES.items():
        if table.is_topic:
            continue
        shown = {keys_of(table, row): row for row in edition.published(name)}
        figures.published += len(shown)
        for row, reason in zip(exact[name], decided[name], strict=True):
            keys = keys_of(table, row)
            figures.publishable += reason is None
            figures.complementary += reason is None and keys not in shown
            if is_safe(table, row, users, rules):
                figures.safe[kind] += 1
                figures.safe_lost[kind] += keys not in shown
            if keys in shown and not _is_as_planted(shown[keys], row, table, rules):
                figures.wrong.append(f"{edition.period.key} {name} {'/'.join(keys)}")


def _is_as_planted(published: Row, exact: Row, table: Table, rules: Rules) -> bool:
    least = rules.of(table)
    return all(
        exact[count] >= fewest and published[count] == round_count(exact[count], least.base, fewest)
        for count, fewest in (("n_conversations", least.conversations), ("n_users", least.users))
        if count in published
    )


def _judge_prevalence(figures: Figures, edition: Edition, counted: Exact, everything: Exact) -> None:
    true = [{row["category"]: row["share"] for row in of["prevalence"]} for of in (counted, everything)]
    for row in edition.published("prevalence"):
        category, share = str(row["category"]), row["share"]
        if category != "all" and isinstance(share, float):
            of_counted, of_all = (100 * abs(share - of[category]) for of in true)
            figures.missed[edition.period.kind].append((of_counted, of_all))


def _is_shown(group: Group, editions: Iterable[Edition]) -> bool | None:
    """Whether the category of a planted group was published in its week; None where that was not released."""
    for edition in editions:
        if edition.period.kind is PeriodKind.WEEK and edition.period.start == FIRST + timedelta(7 * group.week):
            return any(row["category"] == group.category for row in edition.published("prevalence"))
    return None
