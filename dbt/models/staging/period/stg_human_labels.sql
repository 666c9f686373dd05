with human_labels as (
    select * from {{ lake("human_labels") }}
)

select
    -- keys
    day::date as day,
    conversation_key,
    facet,
    value_index,

    -- answer
    status,
    value
from human_labels
