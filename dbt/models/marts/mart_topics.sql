with recursive periods as (
    select * from {{ ref("stg_periods") }}
),

topics as (
    select * from {{ ref("stg_topics") }}
    semi join periods using (period_key)
),

assignments as (
    select * from {{ ref("stg_topic_assignments") }}
    semi join periods using (period_key)
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
),

-- A conversation of a topic is one of each topic above it. `union` ends a circle of parents.
ancestry as (
    select
        period_key,
        affective_type,
        topic_id,
        topic_id as ancestor_id,
        parent_topic_id as next_id
    from topics
    union
    select
        ancestry.period_key,
        ancestry.affective_type,
        ancestry.topic_id,
        topics.topic_id as ancestor_id,
        topics.parent_topic_id as next_id
    from ancestry
    inner join topics
        on
            ancestry.period_key = topics.period_key
            and ancestry.affective_type = topics.affective_type
            and ancestry.next_id = topics.topic_id
),

members as (
    select
        analysed.period_key,
        analysed.affective_type,
        ancestry.ancestor_id as topic_id,
        analysed.user_key,
        any_value(analysed.weight) as weight
    from assignments
    inner join analysed using (period_key, affective_type, conversation_key)
    inner join ancestry using (period_key, affective_type, topic_id)
    group by
        analysed.period_key,
        analysed.affective_type,
        ancestry.ancestor_id,
        analysed.user_key,
        analysed.conversation_key
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        affective_type,
        topic_id,
        parent_topic_id,
        level,
        topic_name
    from topics
    inner join periods using (period_key)
),

{{ cell_measures("members", "analysed", "grid", cell=["affective_type", "topic_id"], of=["affective_type"]) }}

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,
    topic_id,

    -- what it is
    parent_topic_id,
    level,
    topic_name,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights
    cell_weight,
    of_weight,

    -- estimates
    share
from cells
