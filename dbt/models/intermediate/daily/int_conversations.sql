with conversations as (
    select * from {{ ref("stg_conversations") }}
    where {{ days_of_this_run() }}
),

screen_labels as (
    select * from {{ ref("stg_screen_labels") }}
    where {{ days_of_this_run() }}
),

detail_labels as (
    select * from {{ ref("stg_detail_labels") }}
    where {{ days_of_this_run() }}
),

samples as (
    select * from {{ ref("stg_screening") }}
    where {{ days_of_this_run() }}
),

conversation_types as (
    select * from {{ ref("int_conversation_types") }}
    where {{ days_of_this_run() }}
),

screening as (
    select
        day,
        conversation_key,
        bool_or(facet = 'content_creation' and status = 'ok') as content_creation_is_known,
        bool_or(facet = 'content_creation' and status = 'ok' and value is not null) as is_content_creation,
        bool_or(facet = 'affective_type' and status = 'ok') as affective_type_is_known,
        max(weight) as weight
    from screen_labels
    group by day, conversation_key
),

types as (
    select
        day,
        conversation_key,
        bool_or(is_roleplay) as has_roleplay
    from conversation_types
    group by day, conversation_key
),

details as (
    select
        day,
        conversation_key,
        bool_or(facet = 'pushback' and status = 'ok') as pushback_is_known
    from detail_labels
    group by day, conversation_key
),

flags as (
    select
        conversations.*,
        -- Whoever is not in a sample of two phases is of a census: everybody is asked there.
        coalesce(samples.is_asked, true) as is_asked,
        coalesce(samples.stratum = 'below', false) as is_below_cut,
        -- One that was not asked about stands for nobody: those of its stratum that were stand for it.
        if(coalesce(samples.is_asked, true), coalesce(screening.weight, 1), 0) as weight,
        -- A conversation without a label is unknown like one that could not be told: it stays in the denominator.
        coalesce(screening.content_creation_is_known, false) as content_creation_is_known,
        coalesce(screening.is_content_creation, false) as is_content_creation,
        coalesce(screening.affective_type_is_known, false) as affective_type_is_known,
        types.conversation_key is not null as is_affective,
        coalesce(types.has_roleplay, false) as has_roleplay,
        coalesce(details.pushback_is_known, false) as pushback_is_known
    from conversations
    left join samples using (day, conversation_key)
    left join screening using (day, conversation_key)
    left join types using (day, conversation_key)
    left join details using (day, conversation_key)
)

select
    -- keys
    day,
    conversation_key,
    user_key,

    -- sizes
    n_human_messages,
    n_assistant_messages,
    weight,

    -- screening
    is_asked,
    is_below_cut,

    -- flags
    is_content_creation,
    content_creation_is_known and not is_content_creation as is_not_content_creation,
    -- Known content creation is enough to leave a conversation out: its type does not matter then.
    is_asked
    and not is_content_creation
    and not (content_creation_is_known and affective_type_is_known) as is_unknown,
    is_affective,
    is_affective and not has_roleplay as is_analysed,
    is_affective and not has_roleplay and pushback_is_known as pushback_is_known
from flags
