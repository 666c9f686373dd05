with periods as (
    select * from {{ ref("stg_periods") }}
),

counted as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
),

conversation_types as (
    select * from {{ ref("int_conversation_types") }}
),

types as (
    select
        counted.*,
        conversation_types.affective_type
    from counted
    inner join conversation_types using (day, conversation_key)
),

members as (
    select period_key, user_key, weight, 'all' as category from counted
    union all
    select period_key, user_key, weight, 'unknown' as category from counted where is_unknown
    union all
    select period_key, user_key, weight, 'content_creation' as category from counted where is_content_creation
    union all
    select period_key, user_key, weight, 'affective' as category from counted where is_affective
    union all
    select period_key, user_key, weight, affective_type as category from types
    union all
    select period_key, user_key, any_value(weight) as weight, 'companionship_or_roleplay' as category
    from types
    where affective_type in {{ sql_list(var("companionship_or_roleplay_types")) }}
    group by period_key, user_key, conversation_key
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        {{ sql_rows(var("prevalence_categories")) }} as category
    from periods
),

{{ cell_measures("members", "counted", "grid", cell=["category"]) }},

estimated as (
    select
        *,
        -- All of all is not estimated.
        if(
            category = 'all',
            {'low': share, 'high': share},
            wilson_interval(share, residual_square, of_conversations, of_users)
        ) as share_interval
    from cells
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    category,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights
    cell_weight,
    of_weight,

    -- estimates
    share,
    share_interval.low as share_low,
    share_interval.high as share_high
from estimated
