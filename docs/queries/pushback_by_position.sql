-- Question: In which third of a conversation does each kind of pushback first come?
-- Reads: pushback
-- Columns: period_kind, period_start, kind, early, middle, late, any_position
-- A null is a withheld cell, not a zero. Thirds of one kind add up to any_position; kinds do not add up.
select
    period_kind,
    period_start,
    kind,
    max(rate) filter (where position = 'early') as early,
    max(rate) filter (where position = 'middle') as middle,
    max(rate) filter (where position = 'late') as late,
    max(rate) filter (where position = 'any') as any_position
from (
    select *
    from pushback
    where affective_type = 'any'
    qualify revision = max(revision) over (partition by period_kind, period_start, period_end)
)
group by period_kind, period_start, kind
order by period_kind, period_start, any_position desc nulls last
