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
        is_below_cut,
        unnest(list_concat(
            [
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
    where is_asked
),

-- How many there are needs no label: everybody is counted under `all`, and all else is measured against those asked
-- about, with the weights that make them stand for everybody.
{{ against_everybody("categories", "counted", "category") }},

grid as (
    select
        {{ period_columns() | indent(8) }},
        unnest({{ sql_array(var("prevalence_categories")) }}) as category,
        if(category = 'all', 'everybody', 'asked') as measured_against
    from periods
),

{{
    cell_measures(
        "members", "denominators", "grid", cell=["category", "measured_against"], of=["measured_against"]
    )
}},

-- The two parts of a share: above the cut (in a census, all), measured against everybody, and below it.
parts_of_user as (
    select
        period_key,
        user_key,
        count(*) as n,
        sum(if(is_below_cut, 1, weight)) as weight,
        count(*) filter (where is_below_cut) as below,
        count(*) filter (where is_below_cut and is_asked) as below_asked,
        coalesce(sum(weight) filter (where is_below_cut and is_asked), 0) as below_weight,
        max(weight) as largest_weight
    from counted
    group by period_key, user_key
),

parts as (
    select
        period_key,
        sum(n)::bigint as n,
        count(*) as users,
        sum(weight) as weight,
        sum(weight ^ 2) as weight_square,
        sum(below) / sum(n) as below_part,
        sum(below_asked)::bigint as below_asked,
        count(*) filter (where below_asked > 0) as below_users,
        sum(below_weight) as below_weight,
        sum(below_weight ^ 2) as below_weight_square,
        max(largest_weight) as largest_weight
    from parts_of_user
    group by period_key
),

hits_of_user as (
    select
        period_key,
        category,
        user_key,
        coalesce(sum(weight) filter (where not is_below_cut), 0) as above_hits,
        coalesce(sum(weight) filter (where is_below_cut), 0) as below_hits
    from categories
    where category is not null
    group by period_key, category, user_key
),

hits as (
    select
        hits_of_user.period_key,
        hits_of_user.category,
        sum(above_hits) as above,
        sum(above_hits ^ 2) as above_square,
        sum(above_hits * parts_of_user.weight) as above_weight,
        sum(below_hits) as below,
        sum(below_hits ^ 2) as below_square,
        sum(below_hits * parts_of_user.below_weight) as below_weight
    from hits_of_user
    inner join parts_of_user using (period_key, user_key)
    group by hits_of_user.period_key, hits_of_user.category
),

-- Each part's share, and what is left of users' own: domain/estimation/wilson.py says what for.
shares_of_parts as (
    select
        cells.*,
        parts.n,
        parts.users,
        parts.below_part,
        parts.below_asked,
        parts.below_users,
        parts.largest_weight,
        coalesce(hits.above, 0) / parts.weight as above_share,
        greatest(
            0,
            coalesce(hits.above_square, 0)
            - 2 * above_share * coalesce(hits.above_weight, 0)
            + above_share ^ 2 * parts.weight_square
        ) / parts.weight ^ 2 as above_residual,
        coalesce(hits.below, 0) / nullif(parts.below_weight, 0) as below_share,
        greatest(
            0,
            coalesce(hits.below_square, 0)
            - 2 * below_share * coalesce(hits.below_weight, 0)
            + below_share ^ 2 * parts.below_weight_square
        ) / nullif(parts.below_weight, 0) ^ 2 as below_residual
    from cells
    left join parts using (period_key)
    left join hits using (period_key, category)
),

{{ coded_cells("coded", cell=["category"]) }},

estimated as (
    select
        *,
        -- All of all is not estimated.
        if(
            category = 'all',
            struct_pack(low := share, high := share),
            two_phase_interval(
                struct_pack(share := above_share, residual := above_residual, n := n, users := users),
                struct_pack(
                    share := below_share, residual := below_residual, n := below_asked, users := below_users
                ),
                below_part
            )
        ) as share_interval
    from shares_of_parts
),

corrected as (
    select
        estimated.*,
        {{ coded_counts() | indent(8) }},
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
    largest_weight,
    above_residual,

    -- estimates
    share,
    share_interval.low as share_low,
    share_interval.high as share_high,

    -- correction
    {{ coded_columns() | indent(4) }},
    {{ coded_estimates() | indent(4) }},
    correction.value as corrected_share,
    correction.low as corrected_low,
    correction.high as corrected_high
from corrected
