-- Question: What do conversations turn into: type at the start against type at the end?
-- Reads: drift
-- Columns: period_kind, period_start, start_type, interpersonal_advice, coaching, psychotherapy_counseling, companionship, romantic_roleplay, sexual_roleplay, none_of_these
-- Each figure is a share of all conversations with both ends known, not of its row. A null is a withheld cell.
select
    period_kind,
    period_start,
    start_type,
    max(share) filter (where end_type = 'interpersonal_advice') as interpersonal_advice,
    max(share) filter (where end_type = 'coaching') as coaching,
    max(share) filter (where end_type = 'psychotherapy_counseling') as psychotherapy_counseling,
    max(share) filter (where end_type = 'companionship') as companionship,
    max(share) filter (where end_type = 'romantic_roleplay') as romantic_roleplay,
    max(share) filter (where end_type = 'sexual_roleplay') as sexual_roleplay,
    max(share) filter (where end_type = 'none_of_these') as none_of_these
from (
    select *
    from drift
    qualify revision = max(revision) over (partition by period_kind, period_start, period_end)
)
group by period_kind, period_start, start_type
order by period_kind, period_start, start_type
