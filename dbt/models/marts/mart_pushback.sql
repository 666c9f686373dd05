with periods as (
    select * from {{ ref("stg_periods") }}
),

-- Where pushback could not be told, a conversation says nothing of its rate: it leaves the denominator.
analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
    where pushback_is_known
),

pushback as (
    select * from {{ ref("int_pushback") }}
),

members as (
    select
        analysed.period_key,
        analysed.affective_type,
        analysed.user_key,
        analysed.weight,
        pushback.kind,
        unnest(['any', pushback.position]) as position
    from analysed
    inner join pushback using (day, conversation_key)
),

types as (
    select {{ sql_rows(["any"] + var("talk_types")) }} as affective_type
),

kinds as (
    select {{ sql_rows(["any"] + var("pushback_kinds")) }} as kind
),

positions as (
    select {{ sql_rows(["any"] + var("positions")) }} as position
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        affective_type,
        kind,
        position
    from periods
    cross join types
    cross join kinds
    cross join positions
),

{{ cell_measures("members", "analysed", "grid", cell=["affective_type", "kind", "position"], of=["affective_type"]) }},

estimated as (
    select
        *,
        wilson_interval(share, residual_square, of_conversations, of_users, of_kish) as rate_interval
    from cells
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,
    kind,
    position,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights
    cell_weight,
    of_weight,

    -- estimates
    share as rate,
    rate_interval.low as rate_low,
    rate_interval.high as rate_high
from estimated
