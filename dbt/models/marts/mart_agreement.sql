with periods as (
    select * from {{ ref("stg_periods") }}
),

coded as (
    select * from {{ ref("int_coded_conversations") }}
    semi join periods using (period_key)
),

screen_labels as (
    select * from {{ ref("stg_screen_labels") }}
),

detail_labels as (
    select * from {{ ref("stg_detail_labels") }}
),

-- Prevalence's categories under the names of the facets that find them.
judged as (
    select
        coded.*,
        case
            when category in ('content_creation', 'pushback') then category
            when category = 'affective' then 'affective_type'
            when category in {{ sql_list(var("affective_types")) }} then 'affective_type.' || category
        end as facet
    from coded
),

-- A period has one labeller a stage: days of another are not up to date.
labellers as (
    select
        coded.period_key,
        max(screen_labels.labeller) as of_screen,
        max(detail_labels.labeller) as of_detail
    from coded
    left join screen_labels using (day, conversation_key)
    left join detail_labels using (day, conversation_key)
    group by coded.period_key
),

by_user as (
    select
        period_key,
        facet,
        user_key,
        count(*) as n,
        count(*) filter (where is_predicted) as predicted,
        count(*) filter (where is_true) as true_ones,
        count(*) filter (where is_predicted or is_true) as either,
        coalesce(sum(coded_weight) filter (where is_predicted and is_true), 0) as weight_of_both,
        coalesce(sum(coded_weight) filter (where is_predicted and not is_true), 0) as weight_predicted_alone,
        coalesce(sum(coded_weight) filter (where is_true and not is_predicted), 0) as weight_true_alone,
        coalesce(sum(coded_weight) filter (where not is_predicted and not is_true), 0) as weight_of_neither
    from judged
    where facet is not null
    group by period_key, facet, user_key
),

cells as (
    select
        period_key,
        facet,
        sum(n)::bigint as n_conversations,
        count(*) as n_users,
        max(n) as top_user_conversations,
        list_sum(max(n, 2))::bigint as top_two_conversations,
        sum(predicted)::bigint as predicted_conversations,
        count(*) filter (where predicted > 0) as predicted_users,
        sum(true_ones)::bigint as true_conversations,
        count(*) filter (where true_ones > 0) as true_users,
        sum(either)::bigint as either_conversations,
        count(*) filter (where either > 0) as either_users,
        agreement_of(
            list(weight_of_both), list(weight_predicted_alone), list(weight_true_alone), list(weight_of_neither)
        ) as measures
    from by_user
    group by period_key, facet
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    facet,
    if(facet = 'pushback', of_detail, of_screen) as labeller,

    -- counts
    n_conversations,
    n_users,
    top_user_conversations,
    top_two_conversations,
    n_conversations as n_labelled,
    predicted_conversations,
    predicted_users,
    true_conversations,
    true_users,
    either_conversations,
    either_users,

    -- estimates
    measures.accuracy,
    measures.precision,
    measures.recall,
    measures.f1,
    measures.kappa,
    measures.kappa_low,
    measures.kappa_high
from cells
inner join periods using (period_key)
inner join labellers using (period_key)
