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
    {{ count_columns() | indent(4) }}
from funnel
