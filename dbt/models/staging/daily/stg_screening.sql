with screening as (
    select * from {{ lake("screening") }}
)

select
    -- keys
    day::date as day,
    conversation_key,

    -- sampling
    stratum,
    inclusion_probability,
    is_asked
from screening
