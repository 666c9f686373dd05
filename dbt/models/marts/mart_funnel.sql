with periods as (
    select * from {{ ref("stg_periods") }}
),

counted as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
),

-- A conversation is in every step that it reaches; null where it does not.
steps as (
    select
        period_key,
        user_key,
        weight,
        unnest([
            'all',
            if(is_not_content_creation, 'not_content_creation', null),
            if(is_affective, 'affective', null),
            if(is_analysed, 'analysed', null)
        ]) as step
    from counted
),

members as (
    select * from steps
    where step is not null
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
