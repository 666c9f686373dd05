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

coded_pushback as (
    select * from {{ ref("int_coded_pushback") }}
),

coded_sentiment as (
    select * from {{ ref("int_coded_sentiment") }}
),

conversations as (
    select * from {{ ref("int_conversations") }}
),

facet_labels as (
    select * from {{ ref("int_facet_labels") }}
),

facets as (
    select * from {{ ref("stg_facets") }}
    where published_in = 'facets'
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
        sentiment.sentiment_end,
        sentiment.tone_first
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

-- What people said counts by itself: a few changed answers move what is corrected by them, though nobody came or went.
-- Under as many labelled conversations of a type as a correction needs, none is told, and there is nothing to compare.
answers as (
    select
        period_key,
        user_key,
        conversation_key,
        'answers_agreement' as table_name,
        if(category = 'pushback', 'pushback', 'affective_type') as cell,
        concat_ws(
            ' ', any_value(coded_weight), string_agg(category, ' ' order by category) filter (where is_true)
        ) as answered
    from coded
    group by all
),

-- Groups of agreement are small: there, a few changed predictions move what is told, too.
coded_groups as (
    select
        coded.*,
        'length/' || {{ length_band("conversations.n_human_messages") }} as group_path
    from coded
    inner join conversations using (day, conversation_key)
    union all by name
    select
        coded.*,
        'affective_type/' || conversation_types.affective_type as group_path
    from coded
    inner join conversation_types using (day, conversation_key)
    where coded.category = 'pushback'
),

judged_groups as (
    select
        period_key,
        user_key,
        conversation_key,
        concat_ws('/', if(category = 'pushback', 'pushback', 'affective_type'), group_path) as cell,
        concat_ws(
            ' ',
            any_value(coded_weight),
            string_agg(category, ' ' order by category) filter (where is_true),
            'predicted',
            string_agg(category, ' ' order by category) filter (where is_predicted)
        ) as answered
    from coded_groups
    group by all
),

groups_of_agreement as (
    select
        period_key,
        user_key,
        conversation_key,
        cell,
        unnest(['agreement_by', 'answers_agreement_by']) as table_name,
        unnest([null, answered]) as answered
    from judged_groups
),

answers_pushback as (
    select
        period_key,
        user_key,
        conversation_key,
        'answers_pushback' as table_name,
        affective_type as cell,
        concat_ws(
            ' ', any_value(coded_weight), string_agg(kind, ' ' order by kind) filter (where is_true)
        ) as answered
    from coded_pushback
    group by period_key, user_key, conversation_key, affective_type
    qualify count(*) over (partition by period_key, affective_type) >= {{ var("min_coded") }}
),

answers_sentiment as (
    select
        period_key,
        user_key,
        conversation_key,
        'answers_sentiment' as table_name,
        affective_type as cell,
        concat_ws(' ', coded_weight, true_start, true_end) as answered
    from coded_sentiment
    qualify count(*) over (partition by period_key, affective_type) >= {{ var("min_coded") }}
),

long_conversations as (
    select
        analysed.period_key,
        analysed.user_key,
        analysed.conversation_key,
        unnest([
            'of_long_conversations',
            if(conversations.n_human_messages >= {{ var("very_long_human_messages") }}, 'long_conversations', null)
        ]) as table_name,
        analysed.affective_type as cell
    from analysed
    inner join conversations using (day, conversation_key)
),

drift as (
    select distinct
        analysed.period_key,
        analysed.user_key,
        analysed.conversation_key,
        unnest(['of_drift', 'drift']) as table_name,
        unnest(['', concat_ws('/', starts.value, ends.value)]) as cell
    from analysed
    inner join facet_labels as starts using (day, conversation_key)
    inner join facet_labels as ends using (day, conversation_key)
    where analysed.affective_type = 'any' and starts.facet = 'type_at_start' and ends.facet = 'type_at_end'
),

usage_bands as (
    select
        period_key,
        user_key,
        conversation_key,
        'usage_bands' as table_name,
        ['1', '2', '3_or_more'][least(3, count(*) over (partition by period_key, user_key))] as cell
    from counted
    where is_affective
),

-- Every counted conversation under `all`, every analysed one under `any` and its types.
of_every_type as (
    select
        period_key,
        user_key,
        day,
        conversation_key,
        affective_type
    from analysed
    union all by name
    select
        period_key,
        user_key,
        day,
        conversation_key,
        'all' as affective_type
    from counted
),

facet_cells as (
    select distinct
        of_every_type.period_key,
        of_every_type.user_key,
        of_every_type.conversation_key,
        unnest([
            'of_facets',
            if(facet_labels.value = facets.value, 'facets', null)
        ]) as table_name,
        unnest([
            concat_ws('/', facets.facet, of_every_type.affective_type),
            concat_ws('/', facets.facet, facets.value, of_every_type.affective_type)
        ]) as cell
    from of_every_type
    inner join facets using (affective_type)
    inner join facet_labels
        on
            of_every_type.day = facet_labels.day
            and of_every_type.conversation_key = facet_labels.conversation_key
            and facets.facet = facet_labels.facet
            and (
                facets.value = facet_labels.value
                or (facet_labels.value is null and facets.values_told = 'any_number')
            )
    where
        facets.of_facet is null
        or exists (
            select 1
            from pushback
            where
                facets.of_facet = 'pushback'
                and pushback.day = of_every_type.day
                and pushback.conversation_key = of_every_type.conversation_key
        )
        or exists (
            select 1
            from facet_labels as events
            where
                events.facet = facets.of_facet
                and events.value is not null
                and events.day = of_every_type.day
                and events.conversation_key = of_every_type.conversation_key
        )
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
    union all by name
    select * from answers
    union all by name
    select * from groups_of_agreement
    union all by name
    select * from answers_pushback
    union all by name
    select * from answers_sentiment
    union all by name
    select * from long_conversations
    union all by name
    select * from drift
    union all by name
    select * from usage_bands
    union all by name
    select * from facet_cells
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
    sentiment_end,
    tone_first,

    -- what people answered, with its weight
    answered
from cells
where cell is not null and table_name is not null
