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

coded as (
    select * from {{ ref("int_coded_sentiment") }}
    semi join periods using (period_key)
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

coded_by_user as (
    select
        period_key,
        affective_type,
        user_key,
        count(*) as n,
        sum(coded_weight) as weight,
        sum(coded_weight * predicted_start) as predicted_start,
        sum(coded_weight * predicted_end) as predicted_end,
        sum(coded_weight * (predicted_end - predicted_start)) as predicted_change,
        sum(coded_weight * true_start) as true_start,
        sum(coded_weight * true_end) as true_end,
        sum(coded_weight * (true_end - true_start)) as true_change
    from coded
    group by period_key, affective_type, user_key
),

-- Every user of a cell, with zeros where people labelled none of their conversations: prediction_powered.UserSums.
sums as (
    select
        by_user.*,
        coalesce(coded_by_user.n, 0) as coded_n,
        coalesce(coded_by_user.weight, 0) as coded_weight,
        coalesce(predicted_start, 0) as predicted_start,
        coalesce(predicted_end, 0) as predicted_end,
        coalesce(predicted_change, 0) as predicted_change,
        coalesce(true_start, 0) as true_start,
        coalesce(true_end, 0) as true_end,
        coalesce(true_change, 0) as true_change
    from by_user
    left join coded_by_user using (period_key, affective_type, user_key)
),

labelled as (
    select
        period_key,
        affective_type,
        sum(coded_n)::bigint as coded_conversations,
        count(*) filter (where coded_n > 0) as coded_users,
        prediction_powered_mean(
            list(true_start), list(predicted_start), list(coded_weight), list(start_sum), list(weight)
        ) as corrected_start,
        prediction_powered_mean(
            list(true_end), list(predicted_end), list(coded_weight), list(end_sum), list(weight)
        ) as corrected_end,
        prediction_powered_mean(
            list(true_change), list(predicted_change), list(coded_weight), list(change_sum), list(weight)
        ) as corrected_change
    from sums
    group by period_key, affective_type
    having sum(coded_n) >= {{ var("min_coded") }}
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
    later_interval.high as later_high,

    -- correction
    coalesce(coded_conversations, 0) as coded_conversations,
    coalesce(coded_users, 0) as coded_users,
    corrected_start.value as corrected_start,
    corrected_end.value as corrected_end,
    corrected_change.value as corrected_change,
    corrected_change.low as corrected_change_low,
    corrected_change.high as corrected_change_high
from grid
left join cells using (period_key, affective_type)
left join labelled using (period_key, affective_type)
