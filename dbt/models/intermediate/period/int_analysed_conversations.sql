with periods as (
    select * from {{ ref("stg_periods") }}
),

analysed as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
    where is_analysed
),

conversation_types as (
    select * from {{ ref("int_conversation_types") }}
),

by_type as (
    select
        analysed.*,
        conversation_types.affective_type
    from analysed
    inner join conversation_types using (day, conversation_key)
    union all by name
    -- Each conversation once, whatever its types.
    select
        analysed.*,
        'any' as affective_type
    from analysed
)

select
    -- keys
    period_key,
    affective_type,
    day,
    conversation_key,
    user_key,

    -- sizes
    weight,

    -- flags
    pushback_is_known
from by_type
