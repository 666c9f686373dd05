-- The audit takes groups of length to make up what people labelled of a facet, and types to cover it: where that does
-- not hold, it attacks another world than the published one.
with agreement as (
    select * from {{ ref("mart_agreement") }}
    where {{ periods_of_this_run() }}
),

groups as (
    select
        period_key,
        facet,
        dimension,
        count(*) as n_groups,
        sum(n_conversations) as n_conversations,
        sum(n_users) as n_users
    from {{ ref("mart_agreement_by") }}
    where {{ periods_of_this_run() }}
    group by period_key, facet, dimension
)

select
    agreement.period_key,
    agreement.facet,
    groups.dimension
from agreement
left join groups using (period_key, facet)
where
    groups.dimension is null
    or groups.n_users < agreement.n_users
    or (groups.dimension = 'length' and groups.n_conversations <> agreement.n_conversations)
    or (groups.dimension = 'affective_type' and groups.n_conversations < agreement.n_conversations)
    or groups.n_groups <> if(
        groups.dimension = 'length', {{ var("length_bands") | length }}, {{ var("talk_types") | length }}
    )
