with periods as (
    select * from {{ ref("stg_periods") }}
),

topics as (
    select * from {{ ref("mart_topics") }}
    semi join periods using (period_key)
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    affective_type,
    topic_id,
    parent_topic_id,
    level,
    topic_name,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights, rounded, so that the order in which threads add cannot show
    round(cell_weight, 6) as cell_weight,
    round(of_weight, 6) as of_weight,

    -- estimates
    share
from topics
