with periods as (
    select * from {{ ref("stg_periods") }}
),

counted as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
),

-- A conversation that was asked about is in every step that it reaches; null where it does not.
steps as (
    select
        period_key,
        user_key,
        weight,
        unnest([
            if(is_not_content_creation, 'not_content_creation', null),
            if(is_affective, 'affective', null),
            if(is_analysed, 'analysed', null)
        ]) as step
    from counted
    where is_asked
),

{{ against_everybody("steps", "counted", "step") }},

grid as (
    select
        {{ period_columns() | indent(8) }},
        unnest({{ sql_array(var("funnel_steps")) }}) as step,
        if(step = 'all', 'everybody', 'asked') as measured_against
    from periods
),

{{ cell_measures("members", "denominators", "grid", cell=["step", "measured_against"], of=["measured_against"]) }}

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
