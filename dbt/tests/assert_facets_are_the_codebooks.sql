-- The bad days: a cell of facets or drift that is missing or doubled, and so tells; or a label that no category of the
-- codebook names, which would be lost without a word.
with periods as (
    select * from {{ ref("stg_periods") }}
),

facets as (
    select * from {{ ref("stg_facets") }}
),

published as (
    select
        period_key,
        facet,
        value,
        affective_type
    from {{ ref("publish_facets") }}
    where {{ periods_of_this_run() }}
),

expected as (
    select
        periods.period_key,
        facets.facet,
        facets.value,
        facets.affective_type
    from periods
    cross join facets
    where facets.published_in = 'facets'
),

drift as (
    select
        period_key,
        count(*) as n_rows,
        count(distinct start_type || '/' || end_type) as n_cells
    from {{ ref("publish_drift") }}
    where {{ periods_of_this_run() }}
    group by period_key
),

drift_cells as (
    select count(distinct value) ^ 2 as n_cells
    from facets
    where published_in = 'drift'
)

(
    select * from published
    except all
    select * from expected
)
union all by name
(
    select * from expected
    except all
    select * from published
)
union all by name
select drift.period_key
from drift
cross join drift_cells
where drift.n_rows <> drift_cells.n_cells or drift.n_cells <> drift_cells.n_cells
