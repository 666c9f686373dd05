with conversations as (
    select * from {{ ref("stg_conversations") }}
    where {{ days_of_this_run() }}
),

labels as (
    select * from {{ ref("stg_screen_labels") }}
    where {{ days_of_this_run() }}
),

-- Content creation is excluded first: only a known "no" lets a conversation's types count.
not_content_creation as (
    select
        day,
        conversation_key
    from labels
    where facet = 'content_creation' and status = 'ok'
    group by day, conversation_key
    having count(value) = 0
),

types as (
    select distinct
        day,
        conversation_key,
        value as affective_type
    from labels
    where facet = 'affective_type' and status = 'ok' and value in {{ sql_list(var("affective_types")) }}
)

select
    -- keys
    types.day,
    types.conversation_key,
    types.affective_type,

    -- flags
    types.affective_type in {{ sql_list(var("roleplay_types")) }} as is_roleplay
from types
inner join not_content_creation using (day, conversation_key)
inner join conversations using (day, conversation_key)
where
    types.affective_type not in {{ sql_list(var("roleplay_types")) }}
    or conversations.n_human_messages >= {{ var("roleplay_min_human_messages") }}
