with periods as (
    select * from {{ ref("stg_periods") }}
),

counted as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
),

conversations as (
    select * from {{ ref("int_conversations") }}
),

conversation_types as (
    select * from {{ ref("int_conversation_types") }}
),

pushback as (
    select * from {{ ref("int_pushback") }}
),

samples as (
    select * from {{ ref("stg_human_samples") }}
),

sampled_days as (
    select * from {{ ref("stg_sampled_days") }}
),

labels as (
    select * from {{ ref("stg_human_labels") }}
),

-- Of a period with a day that nobody could be drawn of, people's answers say nothing as a whole.
covered as (
    select counted.period_key
    from counted
    left join sampled_days using (day)
    group by counted.period_key
    having bool_and(sampled_days.day is not null)
),

answers as (
    select
        day,
        conversation_key,
        bool_or(facet = 'content_creation' and status = 'ok') as content_creation_is_told,
        bool_or(facet = 'content_creation' and status = 'ok' and value is not null) as is_content_creation,
        bool_or(facet = 'affective_type' and status = 'ok') as affective_type_is_told,
        coalesce(list(value) filter (where facet = 'affective_type' and value is not null), []) as types,
        bool_or(facet = 'pushback' and status = 'ok') as pushback_is_told,
        bool_or(facet = 'pushback' and value is not null) as has_pushback
    from labels
    group by day, conversation_key
),

predicted_types as (
    select
        day,
        conversation_key,
        list(affective_type) as types
    from conversation_types
    group by day, conversation_key
),

predicted_pushback as (
    select distinct
        day,
        conversation_key,
        true as has_pushback
    from pushback
),

-- People's answers under the study's rules: content creation leaves a conversation without types, and roleplay counts
-- only where the person wrote enough.
told as (
    select
        day,
        conversation_key,
        answers.is_content_creation,
        answers.pushback_is_told,
        answers.has_pushback,
        if(
            answers.is_content_creation,
            [],
            list_filter(
                answers.types,
                lambda of: of not in {{ sql_list(var("roleplay_types")) }}
                or conversations.n_human_messages >= {{ var("roleplay_min_human_messages") }}
            )
        ) as types
    from answers
    inner join conversations using (day, conversation_key)
    where answers.content_creation_is_told and (answers.is_content_creation or answers.affective_type_is_told)
),

coded as (
    select
        counted.period_key,
        day,
        conversation_key,
        counted.user_key,
        counted.weight / samples.inclusion_probability as coded_weight,
        counted.is_content_creation as predicted_content_creation,
        counted.pushback_is_known,
        coalesce(predicted_types.types, []) as predicted_types,
        coalesce(predicted_pushback.has_pushback, false) as predicted_pushback,
        told.is_content_creation,
        told.types,
        told.pushback_is_told,
        told.has_pushback
    from counted
    semi join covered using (period_key)
    inner join samples using (day, conversation_key)
    inner join told using (day, conversation_key)
    left join predicted_types using (day, conversation_key)
    left join predicted_pushback using (day, conversation_key)
),

-- One row a category, whether it was predicted, and whether it is so.
screened as (
    select
        coded.*,
        unnest(list_concat(
            [
                struct_pack(
                    category := 'content_creation',
                    is_predicted := predicted_content_creation,
                    is_true := is_content_creation
                ),
                struct_pack(
                    category := 'affective',
                    is_predicted := len(predicted_types) > 0,
                    is_true := len(types) > 0
                ),
                struct_pack(
                    category := 'companionship_or_roleplay',
                    is_predicted := list_has_any(
                        predicted_types, {{ sql_array(var("companionship_or_roleplay_types")) }}
                    ),
                    is_true := list_has_any(types, {{ sql_array(var("companionship_or_roleplay_types")) }})
                )
            ],
            list_transform(
                {{ sql_array(var("affective_types")) }},
                lambda of: struct_pack(
                    category := of,
                    is_predicted := list_contains(predicted_types, of),
                    is_true := list_contains(types, of)
                )
            )
        )) as said
    from coded
),

asked as (
    select
        coded.*,
        struct_pack(category := 'pushback', is_predicted := predicted_pushback, is_true := has_pushback) as said
    from coded
    where pushback_is_known and pushback_is_told
),

both_stages as (
    select * from screened
    union all by name
    select * from asked
)

select
    -- keys
    period_key,
    said.category,
    day,
    conversation_key,
    user_key,

    -- sizes
    coded_weight,

    -- flags
    said.is_predicted,
    said.is_true
from both_stages
