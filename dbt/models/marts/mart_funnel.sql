with periods as (
    select * from {{ ref("stg_periods") }}
),

counted as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
),

members as (
    select period_key, user_key, weight, 'all' as step from counted
    union all
    select period_key, user_key, weight, 'not_content_creation' as step from counted where is_not_content_creation
    union all
    select period_key, user_key, weight, 'affective' as step from counted where is_affective
    union all
    select period_key, user_key, weight, 'analysed' as step from counted where is_analysed
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        {{ sql_rows(var("funnel_steps")) }} as step
    from periods
),

{{ cell_measures("members", "counted", "grid", cell=["step"]) }}

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    step,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights
    cell_weight,
    of_weight
from cells
