with periods as (
    select * from {{ ref("stg_periods") }}
),

conversations as (
    select * from {{ ref("int_conversations") }}
),

counted as (
    select
        {{ period_columns() | indent(8) }},
        conversations.*
    from periods
    inner join conversations on conversations.day >= periods.period_start and conversations.day < periods.period_end
    -- The bound on one person's influence. Chosen by the keyed pseudonym alone: a choice that saw labels, or whom the
    -- screen asked about, would bias them.
    qualify
        row_number() over (
            partition by period_key, user_key
            order by md5(period_key || conversation_key)
        ) <= max_conversations_per_user
)

select
    -- period
    {{ period_columns() | indent(4) }},

    -- keys
    day,
    conversation_key,
    user_key,

    -- sizes
    -- Those asked about below the cut stand for all that count there, whom the sample happened to take or not.
    if(
        is_below_cut and is_asked,
        round(weight * count(*) over stratum / sum(weight) over stratum, 9),
        weight
    ) as weight,

    -- screening
    is_asked,
    is_below_cut,

    -- flags
    is_content_creation,
    is_not_content_creation,
    is_unknown,
    is_affective,
    is_analysed,
    pushback_is_known
from counted
window stratum as (partition by period_key, is_below_cut)
