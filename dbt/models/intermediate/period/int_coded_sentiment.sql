{%- set edge = var("sentiment_edge_messages") -%}
with periods as (
    select * from {{ ref("stg_periods") }}
),

-- Of all that people labelled, once each: the same weights as for every other question.
coded as (
    select * from {{ ref("int_coded_conversations") }}
    semi join periods using (period_key)
    where category = 'affective'
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
),

sentiment as (
    select * from {{ ref("int_sentiment") }}
),

-- People are asked for each of the first and last messages by itself: sentiment_1 to sentiment_6.
labels as (
    select
        day,
        conversation_key,
        replace(facet, 'sentiment_', '')::int as place,
        {{ level_number("value") }} as level
    from {{ ref("stg_human_labels") }}
    where facet similar to 'sentiment_[0-9]+' and value is not null
),

told as (
    select
        day,
        conversation_key,
        avg(level) filter (where place <= {{ edge }}) as true_start,
        avg(level) filter (where place > {{ edge }}) as true_end
    from labels
    group by day, conversation_key
    having count(*) = {{ 2 * edge }}
)

select
    -- keys
    coded.period_key,
    analysed.affective_type,
    coded.day,
    coded.conversation_key,
    coded.user_key,

    -- sizes
    coded.coded_weight,

    -- tone, -1 to 1: the labeller's, and people's
    sentiment.sentiment_start as predicted_start,
    sentiment.sentiment_end as predicted_end,
    told.true_start,
    told.true_end
from coded
inner join analysed using (period_key, day, conversation_key)
inner join sentiment using (day, conversation_key)
inner join told using (day, conversation_key)
