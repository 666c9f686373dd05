with topics as (
    select * from {{ lake("topics") }}
)

select
    -- keys
    period as period_key,
    affective_type,
    topic_id,
    parent_topic_id,

    -- what it is
    level,
    topic_name
from topics
