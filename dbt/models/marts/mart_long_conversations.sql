with periods as (
    select * from {{ ref("stg_periods") }}
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
),

conversations as (
    select * from {{ ref("int_conversations") }}
),

very_long as (
    select analysed.*
    from analysed
    inner join conversations using (day, conversation_key)
    where conversations.n_human_messages >= {{ var("very_long_human_messages") }}
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        {{ sql_rows(["any"] + var("talk_types")) }} as affective_type
    from periods
),

{{ cell_measures("very_long", "analysed", "grid", cell=["affective_type"], of=["affective_type"]) }},

estimated as (
    select
        *,
        wilson_interval(share, residual_square, of_conversations, of_users, of_kish) as share_interval
    from cells
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights
    cell_weight,
    of_weight,

    -- estimates
    share,
    share_interval.low as share_low,
    share_interval.high as share_high
from estimated
