with labels as (
    select * from {{ ref("stg_screen_labels") }}
    where {{ days_of_this_run() }}
    union all by name
    select * from {{ ref("stg_detail_labels") }}
    where {{ days_of_this_run() }}
)

select distinct
    -- keys
    day,
    conversation_key,
    facet,

    -- answer
    value
from labels
where status = 'ok' and facet not in {{ sql_list(var("facets_with_models")) }}
