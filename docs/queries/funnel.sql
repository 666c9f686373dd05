-- Question: How many conversations are left after each of the study's exclusions?
-- Reads: funnel
-- Columns: period_kind, period_start, step, n_conversations, n_users, of_all
with newest as (
    select *
    from funnel
    qualify revision = max(revision) over (partition by period_kind, period_start, period_end)
)

select
    newest.period_kind,
    newest.period_start,
    newest.step,
    newest.n_conversations,
    newest.n_users,
    -- From rounded counts: good to about one part in a hundred, no better.
    round(newest.n_conversations / everything.n_conversations, 2) as of_all
from newest
inner join newest as everything
    on newest.period_kind = everything.period_kind
    and newest.period_start = everything.period_start
    and newest.period_end = everything.period_end
    and everything.step = 'all'
where not newest.suppressed
order by newest.period_kind, newest.period_start, newest.n_conversations desc
