with human_samples as (
    select * from {{ lake("human_samples") }}
)

select
    -- keys
    day::date as day,
    conversation_key,

    -- sampling
    inclusion_probability
from human_samples
