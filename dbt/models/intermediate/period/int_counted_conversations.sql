with periods as (
    select * from {{ ref("stg_periods") }}
),

conversations as (
    select * from {{ ref("int_conversations") }}
)

select
    -- period
    {{ period_columns() | indent(4) }},

    -- keys
    day,
    conversation_key,
    user_key,

    -- sizes
    weight,

    -- flags
    is_content_creation,
    is_not_content_creation,
    is_unknown,
    is_affective,
    is_analysed,
    pushback_is_known
from periods
inner join conversations on conversations.day >= periods.period_start and conversations.day < periods.period_end
-- The bound on one person's influence. Chosen by the keyed pseudonym alone: a choice that saw labels would bias them.
qualify
    row_number() over (
        partition by period_key, user_key
        order by md5(period_key || conversation_key)
    ) <= max_conversations_per_user
