with periods as (
    select * from {{ ref("stg_periods") }}
),

sentiment as (
    select * from {{ ref("mart_sentiment") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,

    -- counts
    n_conversations,
    n_users,
    top_user_conversations,
    top_two_conversations,

    -- weights, rounded, so that the order in which threads add cannot show
    round(cell_weight, 6) as cell_weight,

    -- estimates
    sentiment_start,
    sentiment_end,
    sentiment_change,
    change_low,
    change_high,
    tone_first,
    tone_next,
    later_change,
    later_low,
    later_high,

    -- correction
    coded_conversations,
    coded_users,
    corrected_start,
    corrected_end,
    corrected_change,
    corrected_change_low,
    corrected_change_high
from sentiment
