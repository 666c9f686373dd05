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

coded as (
    select * from {{ ref("int_coded_pushback") }}
    semi join periods using (period_key)
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
),

{{ coded_cells("coded", cell=["affective_type", "kind"]) }},

-- People say which kinds there are, and not where: a position has no correction.
corrected as (
    select
        estimated.*,
        {{ coded_counts() | indent(8) }},
        found,
        corrected_share(
            struct_pack(value := share, low := rate_interval.low, high := rate_interval.high), found.yes, found.no
        ) as correction
    from estimated
    left join coded_cells
        on
            estimated.period_key = coded_cells.period_key
            and estimated.affective_type = coded_cells.affective_type
            and estimated.kind = coded_cells.kind
            and estimated.position = 'any'
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
    rate_interval.high as rate_high,

    -- correction
    {{ coded_columns() | indent(4) }},
    {{ coded_estimates() | indent(4) }},
    correction.value as corrected_rate,
    correction.low as corrected_low,
    correction.high as corrected_high
from corrected
