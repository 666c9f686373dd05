with periods as (
    select * from {{ ref("stg_periods") }}
),

funnel as (
    select * from {{ ref("mart_funnel") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    step,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights, rounded, so that the order in which threads add cannot show
    round(cell_weight, 6) as cell_weight,
    round(of_weight, 6) as of_weight
from funnel
