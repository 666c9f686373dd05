with periods as (
    select * from {{ ref("stg_periods") }}
),

affective as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
    where is_affective
),

users as (
    select
        period_key,
        user_key,
        case count(*)
            when 1 then '1'
            when 2 then '2'
            else '3_or_more'
        end as band
    from affective
    group by period_key, user_key
),

-- A cell holds all affective conversations of its users: no user is in two.
members as (
    select
        affective.period_key,
        affective.user_key,
        affective.weight,
        users.band
    from affective
    inner join users using (period_key, user_key)
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        {{ sql_rows(var("usage_bands")) }} as band
    from periods
),

{{ cell_measures("members", "affective", "grid", cell=["band"]) }},

-- Users are counted as they are: how many a sample stands for cannot be told from its weights.
shares as (
    select
        * exclude (share),
        n_users / nullif(of_users, 0) as share_of_users
    from cells
),

estimated as (
    select
        *,
        wilson_interval(share_of_users, 0, of_users, of_users, of_users) as share_interval
    from shares
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    band,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights
    cell_weight,
    of_weight,

    -- estimates
    round(share_of_users, 12) as share_of_users,
    share_interval.low as share_low,
    share_interval.high as share_high
from estimated
