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

type_sets as (
    select
        day,
        conversation_key,
        list(affective_type) as types
    from conversation_types
    group by day, conversation_key
),

-- A conversation is in several categories; null where one does not hold.
categories as (
    select
        period_key,
        user_key,
        weight,
        unnest(list_concat(
            [
                'all',
                if(is_unknown, 'unknown', null),
                if(is_content_creation, 'content_creation', null),
                if(is_affective, 'affective', null),
                if(
                    list_has_any(types, {{ sql_array(var("companionship_or_roleplay_types")) }}),
                    'companionship_or_roleplay',
                    null
                )
            ],
            types
        )) as category
    from counted
    left join type_sets using (day, conversation_key)
),

members as (
    select * from categories
    where category is not null
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
            struct_pack(low := share, high := share),
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
