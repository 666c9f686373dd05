-- Question: How many conversations of each type are very long (50 human messages or more)?
-- Reads: long_conversations
-- Columns: period_kind, period_start, affective_type, share, n_conversations, n_users
select
    period_kind,
    period_start,
    affective_type,
    share,
    n_conversations,
    n_users
from long_conversations
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and not suppressed
order by period_kind, period_start, affective_type
