with periods as (
    select * from {{ ref("stg_periods") }}
),

facets as (
    select * from {{ ref("mart_facets") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    facet,
    value,
    affective_type,

    -- what the facet is
    of_facet,
    values_told,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights, rounded, so that the order in which threads add cannot show
    round(cell_weight, 6) as cell_weight,
    round(of_weight, 6) as of_weight,

    -- estimates
    share,
    share_low,
    share_high
from facets
