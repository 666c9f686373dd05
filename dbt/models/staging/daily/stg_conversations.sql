with conversations as (
    select * from {{ lake("conversations") }}
)

select
    -- keys
    day::date as day,
    conversation_key,
    user_key,

    -- sizes
    n_human_messages,
    n_assistant_messages
from conversations
