-- Question: Do affective conversations come from a few people often, or from many people once?
-- Reads: usage_bands
-- Columns: period_kind, period_start, band, share_of_users, n_users
-- Counted conversations only: nobody has more of them than the bound of the policy.
select
    period_kind,
    period_start,
    band,
    share_of_users,
    n_users
from usage_bands
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and not suppressed
order by period_kind, period_start, band
