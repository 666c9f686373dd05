-- Question: Is the labeller worse on short conversations, or within some type?
-- Reads: agreement_by, agreement
-- Columns: period_kind, period_start, facet, dimension, group_name, n_labelled, kappa, kappa_low, kappa_high, kappa_of_all
select
    of_group.period_kind,
    of_group.period_start,
    of_group.facet,
    of_group.dimension,
    of_group.group_name,
    of_group.n_labelled,
    of_group.kappa,
    of_group.kappa_low,
    of_group.kappa_high,
    whole.kappa as kappa_of_all
from agreement_by as of_group
inner join agreement as whole using (period_kind, period_start, period_end, revision, facet)
qualify
    of_group.revision = max(of_group.revision) over (
        partition by of_group.period_kind, of_group.period_start, of_group.period_end
    )
    and not of_group.suppressed
order by of_group.period_kind, of_group.period_start, of_group.facet, of_group.dimension, of_group.group_name
