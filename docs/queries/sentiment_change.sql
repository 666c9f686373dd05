-- Question: How does the tone of long enough conversations move, and out of how many?
-- Reads: sentiment
-- Columns: period_kind, period_start, affective_type, sentiment_start, sentiment_end, sentiment_change, change_low, change_high, without_zero, n_conversations, n_users
select
    period_kind,
    period_start,
    affective_type,
    sentiment_start,
    sentiment_end,
    -- Rounded by itself: it may differ from end minus start by a step.
    sentiment_change,
    change_low,
    change_high,
    change_low > 0 or change_high < 0 as without_zero,
    n_conversations,
    n_users
from sentiment
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and not suppressed
order by period_kind, period_start, affective_type
