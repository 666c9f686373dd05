-- The bad day: a step that keeps more than the one before, so that an exclusion of the study was not applied.
with funnel as (
    select * from {{ ref("mart_funnel") }}
    where {{ periods_of_this_run() }}
),

steps as (
    select
        period_key,
        n_conversations,
        n_users,
        list_position({{ sql_array(var("funnel_steps")) }}, step) as place
    from funnel
)

select later.period_key
from steps as later
inner join steps as earlier on later.period_key = earlier.period_key and later.place = earlier.place + 1
where later.n_conversations > earlier.n_conversations or later.n_users > earlier.n_users
