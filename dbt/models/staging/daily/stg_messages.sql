with messages as (
    select * from {{ lake("messages") }}
)

select
    -- keys
    day::date as day,
    conversation_key,
    message_index,

    -- kind
    role
from messages
