-- Question: What are the commonest reasons for pushback in each affective type?
-- Reads: facets
-- Columns: period_kind, period_start, affective_type, reason, share, share_low, share_high, n_conversations, n_users, place
-- Shares are of the type's conversations with pushback; one may have several reasons. No rows: the labeller does not
-- measure reasons (`not_measured` in the manifest), as the embedded one does not.
select
    period_kind,
    period_start,
    affective_type,
    value as reason,
    share,
    share_low,
    share_high,
    n_conversations,
    n_users,
    rank() over (partition by period_kind, period_start, period_end, affective_type order by share desc) as place
from (
    select *
    from facets
    where facet = 'pushback_reason'
    qualify revision = max(revision) over (partition by period_kind, period_start, period_end)
)
where not suppressed
order by period_kind, period_start, affective_type, share desc, reason
