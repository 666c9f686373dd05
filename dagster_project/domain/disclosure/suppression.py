"""The suppressor: candidate rows in, the very rows to be published out. The only way from one to the other.

Primary decisions, rounding, then complementary suppression until the audit finds nothing in the rows themselves, beside
everything published before. Not here: the attack (`audit.py`), the gate (`expectations/`), writing
(`storage/publication.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from dagster_project.domain.columns import CODED_SIDES, Column, Role, Table
from dagster_project.domain.disclosure.candidates import (
    CandidateError,
    Row,
    check_candidates,
    check_weights,
    conversations,
    count,
    largest_weight,
    number,
)
from dagster_project.domain.disclosure.complementary import protect
from dagster_project.domain.disclosure.corrections import Earlier
from dagster_project.domain.disclosure.editions import (
    CENSUS,
    Edition,
    PublishedRow,
    editions_of,
    forget_unpublished_parents,
    withheld_row,
)
from dagster_project.domain.disclosure.primary import Decisions, is_of_few_in_the_sample, primary
from dagster_project.domain.disclosure.rounding import grid_step, outward, round_count, to_grid
from dagster_project.domain.disclosure.rules import Rules, Thresholds, WeightedRules
from dagster_project.domain.estimation.correction import Estimate, corrected_share
from dagster_project.domain.estimation.two_phase import interval_of_few
from dagster_project.domain.tables import AGREEMENT, AGREEMENT_BY, PREVALENCE, PUSHBACK, TABLES


def suppress(
    tables: Mapping[str, Sequence[Row]],
    rules: Rules,
    published: Sequence[Edition] = (),
    max_conversations_per_user: int = 5,
    is_census: bool = True,
    earlier: Sequence[Earlier] = (),
    design: str = CENSUS,
) -> dict[str, list[PublishedRow]]:
    """Candidate rows of every declared table to publishable rows: `period_key`, the table's columns, `suppressed`.

    published: everything published before, which is never withheld again. max_conversations_per_user: the bound that
    the candidates were counted with. is_census: every conversation was screened, with weight 1. design: where they were
    a sample, how it was drawn; equal words mean that the same conversations were asked about. earlier: where the
    rows are the correction of one period, its earlier revisions. The rows have passed the audit together with
    `published`. Raises CandidateError where the candidates are incomplete or contradict
    themselves, and complementary.NotProtected (one of its kind) where no choice of cells protects every count.
    """
    check_candidates(tables)
    weight = 1 if design == CENSUS else largest_weight(tables[PREVALENCE.name])
    check_weights(tables, weight)
    own = rules if weight == 1 else rules.weighted(weight, max_conversations_per_user)
    rows = publishable(tables, primary(tables, own), own)
    new = editions_of(rows, own, max_conversations_per_user, is_census and design == CENSUS, design)
    editions = protect(new, published, earlier)
    in_order = sorted(editions, key=lambda edition: edition.period.key)
    out = {name: [dict(row) for edition in in_order for row in edition.rows[name]] for name in tables}
    agreement = beside_figures(out)
    return {**out, AGREEMENT.name: agreement, AGREEMENT_BY.name: beside_agreement(out, agreement)}


def beside_figures(rows: Mapping[str, Sequence[PublishedRow]]) -> list[PublishedRow]:
    """The rows of agreement, withheld where the figure is that they stand beside.

    Accuracy, precision and recall together give back how many were predicted: of a withheld cell, too.
    """
    shown = {("prevalence", r["period_key"], r["category"]) for r in rows[PREVALENCE.name] if not r["suppressed"]}
    shown |= {
        ("pushback", r["period_key"], "pushback")
        for r in rows[PUSHBACK.name]
        if not r["suppressed"] and {r["affective_type"], r["kind"], r["position"]} == {"any"}
    }
    out = []
    for row in rows[AGREEMENT.name]:
        facet, _, kind = str(row["facet"]).partition(".")
        category = kind or {"affective_type": "affective"}.get(facet, facet)
        figure = ("pushback" if facet == "pushback" else "prevalence", row["period_key"], category)
        out.append(dict(row) if figure in shown else withheld_row(row, AGREEMENT))
    return out


def beside_agreement(
    rows: Mapping[str, Sequence[PublishedRow]], agreement: Sequence[PublishedRow]
) -> list[PublishedRow]:
    """The rows of groups, withheld where the agreement that they are part of is, or the rate that they stand beside.

    agreement: as it is published. Groups of a facet give the whole of it back, and those of a type how many were
    predicted in it.
    """
    shown = {(r["period_key"], r["facet"]) for r in agreement if not r["suppressed"]}
    rates = {
        (r["period_key"], r["affective_type"])
        for r in rows[PUSHBACK.name]
        if not r["suppressed"] and {r["kind"], r["position"]} == {"any"}
    }
    out = []
    for row in rows[AGREEMENT_BY.name]:
        is_beside = row["dimension"] != "affective_type" or (row["period_key"], row["group_name"]) in rates
        is_shown = is_beside and (row["period_key"], row["facet"]) in shown
        out.append(dict(row) if is_shown else withheld_row(row, AGREEMENT_BY))
    return out


def publishable(
    tables: Mapping[str, Sequence[Row]], decisions: Decisions, rules: Rules
) -> dict[str, list[PublishedRow]]:
    """Apply decisions: round what is published, null what is withheld, drop withheld topics, order the rows."""
    return {name: _rows(TABLES[name], rows, decisions[name], rules) for name, rows in tables.items()}


def _rows(table: Table, rows: Sequence[Row], reasons: Sequence[object], rules: Rules) -> list[PublishedRow]:
    out = [
        withheld_row(row, table) if reason is not None else _published(row, table, rules)
        for row, reason in zip(rows, reasons, strict=True)
        if reason is None or not table.is_topic
    ]
    if table.is_topic:
        forget_unpublished_parents(out)
    return sorted(out, key=lambda row: (str(row["period_key"]), table.order(row)))


def _published(row: Row, table: Table, rules: Rules) -> PublishedRow:
    least, whole = rules.of_row(table, table.is_total(row)), rules.of_denominator(table)
    counted, fewest = ("n_users", least.users) if table.is_of_people else ("n_conversations", least.conversations)
    of_fewest = whole.users if table.is_of_people else whole.conversations
    denominator = round_count(conversations(row, table.denominator, table, rules), whole.base, of_fewest)
    step = grid_step(denominator, least.base, rules.grid_steps)
    out: PublishedRow = {"period_key": row["period_key"]}
    centres: dict[str, Decimal] = {}
    for column in table.columns:
        match column.role:
            case Role.KEY | Role.ABOUT:
                out[column.name] = row[column.name]
            case Role.CONVERSATIONS | Role.USERS:
                out[column.name] = _count(row, column, table, rules)
            case Role.SHARE:
                numerator = round_count(conversations(row, counted, table, rules), least.base, fewest)
                share = min(Decimal(numerator) / Decimal(denominator), Decimal(1))
                centres[column.name] = to_grid(share, step)
                out[column.name] = float(centres[column.name])
            case Role.MEAN if column.among and not _is_measured(row, column, table, least):
                out[column.name] = None
            case Role.MEAN:
                own = _step_among(row, column, table, least, rules) if column.among else step
                mean = to_grid(Decimal(repr(number(row, column.name, table))), own)
                if column.among and table.is_sensitive and not column.bounds[0] < mean < column.bounds[1]:
                    # The end of the scale says the same of every member of the group.
                    out[column.name] = None
                    continue
                centres[column.name] = mean
                out[column.name] = float(mean)
            case _:
                out[column.name] = None
    _fill_ends(out, row, table, centres, rules, step, denominator)
    _fill_corrected(out, row, table, least, step)
    return {**out, "suppressed": False}


def _count(row: Row, column: Column, table: Table, rules: Rules) -> int:
    least = rules.of_row(table, table.is_total(row))
    if column.role is Role.USERS:
        return round_count(count(row, column.name, table), least.base_of_users, least.users)
    return round_count(conversations(row, column.name, table, rules), least.base, least.conversations)


def _step_among(row: Row, column: Column, table: Table, least: Thresholds, rules: Rules) -> Decimal:
    """The grid of a mean over a part of a cell: as wide as that part is small, else it would pin its numerator."""
    part = round_count(count(row, f"{column.among}_conversations", table), least.base, least.conversations)
    return grid_step(part, least.base, rules.grid_steps)


def _fill_ends(
    out: PublishedRow, row: Row, table: Table, centres: Mapping[str, Decimal], rules: Rules, step: Decimal, of: int
) -> None:
    lows = {c.around: c for c in table.columns if c.role is Role.LOW and c.around}
    highs = {c.around: c for c in table.columns if c.role is Role.HIGH and c.around}
    for measure, low in lows.items():
        if measure not in centres:
            continue
        high = highs[measure]
        ends = number(row, low.name, table), number(row, high.name, table)
        if ends[0] > ends[1]:
            raise CandidateError(f"{table.name}: {low.name} is above {high.name} in a row")
        around = next(c for c in table.columns if c.name == measure)
        if (
            around.role is Role.SHARE
            and isinstance(rules, WeightedRules)
            and is_of_few_in_the_sample(row, table, rules)
        ):
            ends = _ends_of_few(row, int(number(out, "n_conversations", table)), of, table, rules)
        own = _step_among(row, around, table, rules.of(table), rules) if around.among else step
        published = outward(*ends, centres[measure], own, low.bounds)
        out[low.name], out[high.name] = float(published[0]), float(published[1])


def _ends_of_few(row: Row, hits: int, of: int, table: Table, rules: WeightedRules) -> tuple[float, float]:
    """Of a share whose own interval would tell how few hits the sample had: the same for all that would be few.

    Of a share of all, what users bring to the variance above the cut is known, and tells nothing of the sample.
    """
    if is_sampled := row.get("above_residual") is None:
        users: float = hits * rules.max_conversations_per_user
    else:
        users = number(row, "above_residual", table) * of**2
    return interval_of_few(hits, of, rules.largest_weight, rules.min_users, users, is_sampled)


def _is_measured(row: Row, column: Column, table: Table, least: Thresholds) -> bool:
    """Whether a mean of a part of the cell is of enough people, and defined."""
    users, conversations = (count(row, f"{column.among}_{unit}", table) for unit in ("users", "conversations"))
    return users >= least.users and conversations >= least.conversations and row[column.name] is not None


def _fill_corrected(out: PublishedRow, row: Row, table: Table, least: Thresholds, step: Decimal) -> None:
    """The corrected share, made from the share and ends as published and from what people found: no count shows in it.

    Left null where people labelled too few conversations, or those of too few users, on either side; and in sensitive
    tables at an end of the scale, which says the same of every member of the group.
    """
    named = {c.role: c for c in table.columns}
    if Role.CORRECTED not in named or row["true_of_yes"] is None or row["true_of_no"] is None:
        return
    for side in CODED_SIDES:
        users, conversations = (count(row, f"coded_{side}_{unit}", table) for unit in ("users", "conversations"))
        if users < least.users or conversations < least.conversations:
            return
    found = [
        Estimate(*(number(row, f"true_of_{side}{end}", table) for end in ("", "_low", "_high"))) for side in CODED_SIDES
    ]
    raw = Estimate(*(number(out, named[role].name, table) for role in (Role.SHARE, Role.LOW, Role.HIGH)))
    value, low, high = corrected_share(raw, *found)
    centre = min(max(to_grid(Decimal(repr(value)), step), Decimal(0)), Decimal(1))
    if table.is_sensitive and centre in (0, 1):
        return
    ends = outward(low, high, centre, step, named[Role.CORRECTED].bounds)
    for role, published in zip((Role.CORRECTED, Role.CORRECTED_LOW, Role.CORRECTED_HIGH), (centre, *ends), strict=True):
        out[named[role].name] = float(published)
