with periods as (
    select * from {{ ref("stg_periods") }}
),

pushback as (
    select * from {{ ref("mart_pushback") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,
    kind,
    position,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights, rounded, so that the order in which threads add cannot show
    round(cell_weight, 6) as cell_weight,
    round(of_weight, 6) as of_weight,

    -- estimates
    rate,
    rate_low,
    rate_high,

    -- correction
    {{ coded_columns() | indent(4) }},
    true_of_yes,
    true_of_yes_low,
    true_of_yes_high,
    true_of_no,
    true_of_no_low,
    true_of_no_high
from pushback
