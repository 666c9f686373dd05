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

assistant_turns as (
    select
        day,
        conversation_key,
        message_index,
        row_number() over conversation - 1 as turn,
        count(*) over (partition by day, conversation_key) as n_turns
    from messages
    where role = 'assistant'
    window conversation as (partition by day, conversation_key order by message_index)
),

events as (
    select
        labels.day,
        labels.conversation_key,
        labels.value as kind,
        turns.turn,
        turns.n_turns
    from detail_labels as labels
    inner join conversations using (day, conversation_key)
    inner join assistant_turns as turns using (day, conversation_key, message_index)
    where
        labels.facet = 'pushback'
        and labels.status = 'ok'
        and labels.value in {{ sql_list(var("pushback_kinds")) }}
        and conversations.pushback_is_known
),

events_by_kind as (
    select * from events
    union all by name
    select * replace ('any' as kind) from events
),

first_events as (
    select
        day,
        conversation_key,
        kind,
        min(turn) as first_turn,
        any_value(n_turns) as n_turns
    from events_by_kind
    group by day, conversation_key, kind
)

select
    -- keys
    day,
    conversation_key,
    kind,

    -- where
    case first_turn * 3 // n_turns
        when 0 then 'early'
        when 1 then 'middle'
        else 'late'
    end as position
from first_events
