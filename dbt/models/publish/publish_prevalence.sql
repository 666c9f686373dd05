with periods as (
    select * from {{ ref("stg_periods") }}
),

prevalence as (
    select * from {{ ref("mart_prevalence") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    category,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights, rounded, so that the order in which threads add cannot show
    round(cell_weight, 6) as cell_weight,
    round(of_weight, 6) as of_weight,
    round(largest_weight, 6) as largest_weight,
    round(above_residual, 12) as above_residual,

    -- estimates
    share,
    share_low,
    share_high,

    -- correction
    {{ coded_columns() | indent(4) }},
    true_of_yes,
    true_of_yes_low,
    true_of_yes_high,
    true_of_no,
    true_of_no_low,
    true_of_no_high
from prevalence
