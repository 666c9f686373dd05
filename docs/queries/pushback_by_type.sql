-- Question: How often does the assistant push back, by affective type, and out of how many conversations?
-- Reads: pushback
-- Columns: period_kind, period_start, affective_type, rate, rate_low, rate_high, n_conversations, of_conversations, of_users
select
    period_kind,
    period_start,
    affective_type,
    rate,
    rate_low,
    rate_high,
    n_conversations,
    of_conversations,
    of_users
from pushback
where kind = 'any' and position = 'any'
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and not suppressed
order by period_kind, period_start, rate desc
