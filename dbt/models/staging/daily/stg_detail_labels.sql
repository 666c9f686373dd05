with detail_labels as (
    select * from {{ lake("detail_labels") }}
)

select
    -- keys
    day::date as day,
    conversation_key,
    facet,
    value_index,

    -- answer
    status,
    value,
    number,
    message_index,

    -- sampling
    weight,

    -- provenance
    labeller
from detail_labels
