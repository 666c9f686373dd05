-- Question: How far does the labeller agree with people, facet by facet?
-- Reads: agreement
-- Columns: period_kind, period_start, facet, labeller, n_labelled, precision, recall, f1, kappa, kappa_low, kappa_high
select
    period_kind,
    period_start,
    facet,
    labeller,
    n_labelled,
    precision,
    recall,
    f1,
    kappa,
    kappa_low,
    kappa_high
from agreement
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and not suppressed
order by period_kind, period_start, kappa
