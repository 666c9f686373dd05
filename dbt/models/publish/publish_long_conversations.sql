with periods as (
    select * from {{ ref("stg_periods") }}
),

long_conversations as (
    select * from {{ ref("mart_long_conversations") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights, rounded, so that the order in which threads add cannot show
    round(cell_weight, 6) as cell_weight,
    round(of_weight, 6) as of_weight,

    -- estimates
    share,
    share_low,
    share_high
from long_conversations
