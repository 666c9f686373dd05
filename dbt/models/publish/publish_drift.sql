with periods as (
    select * from {{ ref("stg_periods") }}
),

drift as (
    select * from {{ ref("mart_drift") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    start_type,
    end_type,

    -- counts
    {{ count_columns() | indent(4) }},

    -- estimates
    share,
    share_low,
    share_high
from drift
