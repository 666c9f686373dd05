{%- set edge = var("sentiment_edge_messages") -%}
with conversations as (
    select * from {{ ref("int_conversations") }}
    where {{ days_of_this_run() }}
),

detail_labels as (
    select * from {{ ref("stg_detail_labels") }}
    where {{ days_of_this_run() }}
),

messages as (
    select * from {{ ref("stg_messages") }}
    where {{ days_of_this_run() }}
),

human_turns as (
    select
        day,
        conversation_key,
        message_index,
        row_number() over conversation - 1 as turn,
        count(*) over (partition by day, conversation_key) as n_turns
    from messages
    where role = 'user'
    window conversation as (partition by day, conversation_key order by message_index)
),

known_levels as (
    select
        labels.day,
        labels.conversation_key,
        labels.number as level,
        turns.turn = 0 as is_first,
        turns.turn < {{ edge }} as is_start,
        turns.turn >= turns.n_turns - {{ edge }} as is_end
    from detail_labels as labels
    inner join conversations using (day, conversation_key)
    inner join human_turns as turns using (day, conversation_key, message_index)
    where
        labels.facet = 'sentiment'
        and labels.status = 'ok'
        and labels.number is not null
        and conversations.is_analysed
        and turns.n_turns >= {{ var("sentiment_min_human_messages") }}
),

edges as (
    select
        day,
        conversation_key,
        count(*) filter (where is_start) as n_start,
        count(*) filter (where is_end) as n_end,
        sum(level) filter (where is_first) as tone_first,
        sum(level) filter (where is_start and not is_first) / ({{ edge }} - 1) as tone_next,
        sum(level) filter (where is_start) / {{ edge }} as sentiment_start,
        sum(level) filter (where is_end) / {{ edge }} as sentiment_end
    from known_levels
    group by day, conversation_key
)

select
    -- keys
    day,
    conversation_key,

    -- tone, -1 to 1
    sentiment_start,
    sentiment_end,
    sentiment_end - sentiment_start as sentiment_change,

    -- the start in two parts: a level that a change is grouped or chosen by must not be part of the change
    tone_first,
    tone_next,
    sentiment_end - tone_next as later_change
from edges
where n_start = {{ edge }} and n_end = {{ edge }}
