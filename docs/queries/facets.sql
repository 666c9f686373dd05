-- Question: What do the other facets say (whom the assistant refers to, what pushback is against, your own questions)?
-- Reads: facets
-- Columns: period_kind, period_start, facet, value, affective_type, share, share_low, share_high, n_conversations, n_users
select
    period_kind,
    period_start,
    facet,
    value,
    affective_type,
    share,
    share_low,
    share_high,
    n_conversations,
    n_users
from facets
where affective_type in ('any', 'all')
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and not suppressed
order by period_kind, period_start, facet, share desc
