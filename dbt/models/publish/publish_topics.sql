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

    -- estimates
    share
from topics
