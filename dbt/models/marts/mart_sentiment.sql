with periods as (
    select * from {{ ref("stg_periods") }}
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
),

sentiment as (
    select * from {{ ref("int_sentiment") }}
),

by_user as (
    select
        analysed.period_key,
        analysed.affective_type,
        analysed.user_key,
        count(*) as n,
        sum(analysed.weight) as weight,
        sum(analysed.weight * sentiment.sentiment_start) as start_sum,
        sum(analysed.weight * sentiment.sentiment_end) as end_sum,
        sum(analysed.weight * sentiment.sentiment_change) as change_sum,
        sum(analysed.weight * sentiment.tone_first) as first_sum,
        sum(analysed.weight * sentiment.tone_next) as next_sum,
        sum(analysed.weight * sentiment.later_change) as later_sum
    from analysed
    inner join sentiment using (day, conversation_key)
    group by analysed.period_key, analysed.affective_type, analysed.user_key
),

cells as (
    select
        period_key,
        affective_type,
        sum(n)::bigint as n_conversations,
        count(*) as n_users,
        max(n) as top_user_conversations,
        list_sum(max(n, 2))::bigint as top_two_conversations,
        sum(weight) as cell_weight,
        sum(start_sum) / sum(weight) as sentiment_start,
        sum(end_sum) / sum(weight) as sentiment_end,
        sum(change_sum) / sum(weight) as sentiment_change,
        bootstrap_mean(list(change_sum), list(weight)) as change_interval,
        sum(first_sum) / sum(weight) as tone_first,
        sum(next_sum) / sum(weight) as tone_next,
        sum(later_sum) / sum(weight) as later_change,
        bootstrap_mean(list(later_sum), list(weight)) as later_interval
    from by_user
    group by period_key, affective_type
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        {{ sql_rows(["any"] + var("talk_types")) }} as affective_type
    from periods
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,

    -- counts
    coalesce(n_conversations, 0) as n_conversations,
    coalesce(n_users, 0) as n_users,
    coalesce(top_user_conversations, 0) as top_user_conversations,
    coalesce(top_two_conversations, 0) as top_two_conversations,

    -- weights
    coalesce(cell_weight, 0) as cell_weight,

    -- estimates; rounded, so that the order in which threads add cannot show
    round(sentiment_start, 12) as sentiment_start,
    round(sentiment_end, 12) as sentiment_end,
    round(sentiment_change, 12) as sentiment_change,
    change_interval.low as change_low,
    change_interval.high as change_high,
    round(tone_first, 12) as tone_first,
    round(tone_next, 12) as tone_next,
    round(later_change, 12) as later_change,
    later_interval.low as later_low,
    later_interval.high as later_high
from grid
left join cells using (period_key, affective_type)
