with periods as (
    select * from {{ ref("stg_periods") }}
),

coded as (
    select * from {{ ref("int_coded_conversations") }}
    semi join periods using (period_key)
),

conversations as (
    select * from {{ ref("int_conversations") }}
),

conversation_types as (
    select * from {{ ref("int_conversation_types") }}
),

agreement as (
    select * from {{ ref("mart_agreement") }}
    semi join periods using (period_key)
),

judged as (
    select
        coded.*,
        {{ facet_of_category("category") | indent(8) }} as facet
    from coded
    where category <> 'companionship_or_roleplay'
),

by_length as (
    select
        judged.*,
        'length' as dimension,
        {{ length_band("conversations.n_human_messages") }} as group_name
    from judged
    inner join conversations using (day, conversation_key)
),

-- A type of the labeller's own finding says nothing of how well it finds types: only pushback is asked within one.
by_type as (
    select
        judged.*,
        'affective_type' as dimension,
        conversation_types.affective_type as group_name
    from judged
    inner join conversation_types using (day, conversation_key)
    where judged.facet = 'pushback'
),

grouped as (
    select * from by_length
    union all by name
    select * from by_type
),

{{ agreement_cells("grouped", ["facet", "dimension", "group_name"]) }},

groups as (
    select
        'length' as dimension,
        {{ sql_rows(var("length_bands")) }} as group_name
    union all by name
    select
        'affective_type' as dimension,
        {{ sql_rows(var("talk_types")) }} as group_name
),

-- Groups that nobody is in have a row, too: a missing one would tell.
grid as (
    select
        agreement.period_key,
        agreement.period_kind,
        agreement.period_start,
        agreement.period_end,
        agreement.facet,
        agreement.labeller,
        groups.dimension,
        groups.group_name
    from agreement
    inner join groups on groups.dimension = 'length' or agreement.facet = 'pushback'
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    facet,
    dimension,
    group_name,
    labeller,

    -- counts
    coalesce(n_conversations, 0) as n_conversations,
    coalesce(n_users, 0) as n_users,
    coalesce(top_user_conversations, 0) as top_user_conversations,
    coalesce(top_two_conversations, 0) as top_two_conversations,
    coalesce(n_conversations, 0) as n_labelled,
    coalesce(either_conversations, 0) as either_conversations,
    coalesce(either_users, 0) as either_users,

    -- estimates
    measures.accuracy,
    measures.f1,
    measures.kappa,
    measures.kappa_low,
    measures.kappa_high
from grid
left join cells using (period_key, facet, dimension, group_name)
