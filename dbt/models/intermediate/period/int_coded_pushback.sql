with periods as (
    select * from {{ ref("stg_periods") }}
),

coded as (
    select * from {{ ref("int_coded_conversations") }}
    semi join periods using (period_key)
    where category = 'pushback'
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
),

pushback as (
    select * from {{ ref("int_pushback") }}
),

labels as (
    select * from {{ ref("stg_human_labels") }}
    where facet = 'pushback' and value is not null
),

kinds as (
    select {{ sql_rows(["any"] + var("pushback_kinds")) }} as kind
)

select
    -- keys
    coded.period_key,
    analysed.affective_type,
    kinds.kind,
    coded.day,
    coded.conversation_key,
    coded.user_key,

    -- sizes
    coded.coded_weight,

    -- flags
    pushback.kind is not null as is_predicted,
    if(kinds.kind = 'any', coded.is_true, labels.value is not null) as is_true
from coded
inner join analysed using (period_key, day, conversation_key)
cross join kinds
left join pushback
    on
        coded.day = pushback.day
        and coded.conversation_key = pushback.conversation_key
        and kinds.kind = pushback.kind
left join labels
    on
        coded.day = labels.day
        and coded.conversation_key = labels.conversation_key
        and kinds.kind = labels.value
