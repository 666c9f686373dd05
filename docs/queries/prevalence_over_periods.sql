-- Question: How common is each kind of conversation, period by period, and how sure is each figure?
-- Reads: prevalence
-- Columns: period_kind, period_start, category, share, share_low, share_high, n_conversations, n_users
select
    period_kind,
    period_start,
    category,
    share,
    share_low,
    share_high,
    n_conversations,
    n_users
from prevalence
-- A correction is one more revision of the same period: the last one counts.
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and not suppressed
order by period_kind, period_start, share desc
