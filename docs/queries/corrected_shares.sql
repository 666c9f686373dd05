-- Question: What does a share become once the labeller's error is taken out, where people have labelled enough?
-- Reads: prevalence
-- Columns: period_kind, period_start, category, share, share_low, share_high, corrected_share, corrected_low, corrected_high
select
    period_kind,
    period_start,
    category,
    share,
    share_low,
    share_high,
    corrected_share,
    corrected_low,
    corrected_high
from prevalence
qualify revision = max(revision) over (partition by period_kind, period_start, period_end) and corrected_share is not null
order by period_kind, period_start, category
