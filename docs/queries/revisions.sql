-- Question: What did a correction change in a published period?
-- Reads: prevalence
-- Columns: period_kind, period_start, revision, category, share_before, share, n_conversations_before, n_conversations
select
    period_kind,
    period_start,
    revision,
    category,
    lag(share) over earlier as share_before,
    share,
    lag(n_conversations) over earlier as n_conversations_before,
    n_conversations
from prevalence
window earlier as (partition by period_kind, period_start, period_end, category order by revision)
qualify
    revision > 0
    and (share, n_conversations) is distinct from (lag(share) over earlier, lag(n_conversations) over earlier)
order by period_kind, period_start, revision, category
