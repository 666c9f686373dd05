-- The periods that this run computes: written by storage/requests.py, so no source and nobody's asset.
with requests as (
    select * from read_parquet({{ home_file("private/requests/periods.parquet") }})
)

select
    -- keys
    period_key,
    period_kind,
    period_start,
    period_end,

    -- rule
    max_conversations_per_user
from requests
