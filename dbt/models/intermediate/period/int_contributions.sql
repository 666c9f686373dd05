{{ config(materialized="view") }}

with counted as (
    select * from {{ ref("int_counted_conversations") }}
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
),

conversation_types as (
    select * from {{ ref("int_conversation_types") }}
),

pushback as (
    select * from {{ ref("int_pushback") }}
),

sentiment as (
    select * from {{ ref("int_sentiment") }}
),

coded as (
    select * from {{ ref("int_coded_conversations") }}
),

-- Written apart from the marts: each cell by name, keys joined with a slash.
prevalence as (
    select
        period_key,
        user_key,
        conversation_key,
        'prevalence' as table_name,
        unnest([
            'all',
            if(is_unknown, 'unknown', null),
            if(is_content_creation, 'content_creation', null),
            if(is_affective, 'affective', null)
        ]) as cell
    from counted
),

typed as (
    select
        counted.period_key,
        counted.user_key,
        counted.conversation_key,
        'prevalence' as table_name,
        conversation_types.affective_type as cell
    from counted
    inner join conversation_types using (day, conversation_key)
),

companions as (
    select distinct * replace ('companionship_or_roleplay' as cell)
    from typed
    where cell in {{ sql_list(var("companionship_or_roleplay_types")) }}
),

funnel as (
    select
        period_key,
        user_key,
        conversation_key,
        'funnel' as table_name,
        unnest([
            'all',
            if(is_not_content_creation, 'not_content_creation', null),
            if(is_affective, 'affective', null),
            if(is_analysed, 'analysed', null)
        ]) as cell
    from counted
),

pushback_cells as (
    select
        analysed.period_key,
        analysed.user_key,
        analysed.conversation_key,
        'pushback' as table_name,
        concat_ws('/', analysed.affective_type, pushback.kind, unnest(['any', pushback.position])) as cell
    from analysed
    inner join pushback using (day, conversation_key)
    where analysed.pushback_is_known
),

of_pushback as (
    select
        period_key,
        user_key,
        conversation_key,
        'of_pushback' as table_name,
        affective_type as cell
    from analysed
    where pushback_is_known
),

tones as (
    select
        analysed.period_key,
        analysed.user_key,
        analysed.conversation_key,
        'sentiment' as table_name,
        analysed.affective_type as cell,
        sentiment.sentiment_start,
        sentiment.sentiment_end
    from analysed
    inner join sentiment using (day, conversation_key)
),

-- All facets but pushback are judged on the same conversations.
judged as (
    select distinct
        period_key,
        user_key,
        conversation_key,
        'agreement' as table_name,
        if(category = 'pushback', 'pushback', 'affective_type') as cell
    from coded
),

cells as (
    select * from prevalence
    union all by name
    select * from typed
    union all by name
    select * from companions
    union all by name
    select * from funnel
    union all by name
    select * from pushback_cells
    union all by name
    select * from of_pushback
    union all by name
    select * from tones
    union all by name
    select * from judged
)

select
    -- keys
    period_key,
    table_name,
    cell,
    conversation_key,
    user_key,

    -- what a mean is made of, where the cell has one
    sentiment_start,
    sentiment_end
from cells
where cell is not null
