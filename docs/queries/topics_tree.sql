-- Question: What do people talk about in each affective type, as a tree?
-- Reads: topics
-- Columns: period_kind, period_start, affective_type, depth, topic, share, n_conversations, n_users
-- A child is counted in its parent too: add up one level, never all rows. What is too small has no row.
with recursive newest as (
    select *
    from topics
    qualify revision = max(revision) over (partition by period_kind, period_start, period_end)
),

tree as (
    select
        newest.*,
        0 as depth,
        [topic_name, topic_id] as path
    from newest
    where not exists (
        from newest as above
        where above.topic_id = newest.parent_topic_id and above.period_start = newest.period_start
        and above.period_end = newest.period_end and above.affective_type = newest.affective_type
    )
    union all
    select
        child.*,
        tree.depth + 1 as depth,
        tree.path || [child.topic_name, child.topic_id] as path
    from newest as child
    inner join tree
        on child.parent_topic_id = tree.topic_id and child.period_start = tree.period_start
        and child.period_end = tree.period_end and child.affective_type = tree.affective_type
)

select
    period_kind,
    period_start,
    affective_type,
    depth,
    repeat('    ', depth) || topic_name as topic,
    share,
    n_conversations,
    n_users
from tree
order by period_kind, period_start, affective_type, path
