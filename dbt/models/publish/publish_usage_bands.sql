with periods as (
    select * from {{ ref("stg_periods") }}
),

usage_bands as (
    select * from {{ ref("mart_usage_bands") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    band,

    -- counts
    {{ count_columns() | indent(4) }},

    -- estimates
    share_of_users,
    share_low,
    share_high
from usage_bands
