-- Question: Which shares moved from one period to the next, by more than their intervals, under the same labeller?
-- Reads: prevalence, manifest.json
-- Columns: period_kind, period_start, category, share_before, share, difference, same_labeller, intervals_apart
with measured as (
    select
        p.kind as period_kind,
        p.start as period_start,
        p.revision,
        p.labellers['affective_type'] || ' ' || p.prompt_hashes['affective_type'] as labelled_by
    from (
        select unnest(periods) as p
        from read_json(
            'manifest.json',
            columns = {
                periods: 'struct(kind varchar, "start" date, revision bigint, labellers map(varchar, varchar), prompt_hashes map(varchar, varchar))[]'
            }
        )
    )
),

newest as (
    select *
    from prevalence
    qualify revision = max(revision) over (partition by period_kind, period_start, period_end)
),

beside as (
    select
        newest.*,
        measured.labelled_by,
        lag(newest.period_end) over earlier as end_before,
        lag(newest.share) over earlier as share_before,
        lag(newest.share_low) over earlier as low_before,
        lag(newest.share_high) over earlier as high_before,
        lag(measured.labelled_by) over earlier as labelled_before
    from newest
    left join measured using (period_kind, period_start, revision)
    window earlier as (partition by newest.period_kind, category order by newest.period_start)
)

select
    period_kind,
    period_start,
    category,
    share_before,
    share,
    round(share - share_before, 3) as difference,
    labelled_by is not distinct from labelled_before as same_labeller,
    share_low > high_before or share_high < low_before as intervals_apart
from beside
where end_before = period_start and share is not null and share_before is not null and category <> 'all'
order by intervals_apart desc, period_kind, period_start, category
