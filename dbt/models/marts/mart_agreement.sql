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
        {{ facet_of_category("category") | indent(8) }} as facet
    from coded
    where category <> 'companionship_or_roleplay'
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

{{ agreement_cells("judged", ["facet"]) }}

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
