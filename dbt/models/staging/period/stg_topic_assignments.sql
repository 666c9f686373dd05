with topic_assignments as (
    select * from {{ lake("topic_assignments") }}
)

select
    -- keys
    period as period_key,
    conversation_key,
    affective_type,
    topic_id
from topic_assignments
