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

coded as (
    select * from {{ ref("int_coded_conversations") }}
    semi join periods using (period_key)
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

coded_by_user as (
    select
        period_key,
        category,
        is_predicted,
        user_key,
        count(*) as n,
        sum(coded_weight) as weight,
        coalesce(sum(coded_weight) filter (where is_true), 0) as true_weight
    from coded
    group by period_key, category, is_predicted, user_key
),

coded_sides as (
    select
        period_key,
        category,
        is_predicted,
        sum(n)::bigint as n_conversations,
        count(*) as n_users,
        share_of_true(list(true_weight), list(weight), sum(n)::bigint) as true_share
    from coded_by_user
    group by period_key, category, is_predicted
),

-- What people found among the conversations predicted yes, and among those predicted no.
coded_cells as (
    select
        yes.period_key,
        yes.category,
        yes.n_conversations as coded_yes_conversations,
        yes.n_users as coded_yes_users,
        no.n_conversations as coded_no_conversations,
        no.n_users as coded_no_users,
        if(
            yes.n_conversations + no.n_conversations >= {{ var("min_coded") }}
            and least(yes.n_conversations, no.n_conversations) >= {{ var("min_coded_a_side") }},
            struct_pack(yes := yes.true_share, no := no.true_share),
            null
        ) as found
    from coded_sides as yes
    inner join coded_sides as no
        on yes.period_key = no.period_key and yes.category = no.category and yes.is_predicted and not no.is_predicted
),

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
),

corrected as (
    select
        estimated.*,
        coalesce(coded_yes_conversations, 0) as coded_yes_conversations,
        coalesce(coded_yes_users, 0) as coded_yes_users,
        coalesce(coded_no_conversations, 0) as coded_no_conversations,
        coalesce(coded_no_users, 0) as coded_no_users,
        found,
        corrected_share(
            struct_pack(value := share, low := share_interval.low, high := share_interval.high), found.yes, found.no
        ) as correction
    from estimated
    left join coded_cells using (period_key, category)
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
    share_interval.high as share_high,

    -- correction
    {{ coded_columns() | indent(4) }},
    found.yes.value as true_of_yes,
    found.yes.low as true_of_yes_low,
    found.yes.high as true_of_yes_high,
    found.no.value as true_of_no,
    found.no.low as true_of_no_low,
    found.no.high as true_of_no_high,
    correction.value as corrected_share,
    correction.low as corrected_low,
    correction.high as corrected_high
from corrected
