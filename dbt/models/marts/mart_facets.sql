with periods as (
    select * from {{ ref("stg_periods") }}
),

facets as (
    select * from {{ ref("stg_facets") }}
    where published_in = 'facets'
),

counted as (
    select * from {{ ref("int_counted_conversations") }}
    semi join periods using (period_key)
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
    where affective_type <> 'any'
),

labels as (
    select * from {{ ref("int_facet_labels") }}
),

pushback as (
    select * from {{ ref("int_pushback") }}
    where kind = 'any'
),

-- Conversations with an event that other facets describe.
events as (
    select
        day,
        conversation_key,
        'pushback' as of_facet
    from pushback
    union all by name
    select distinct
        labels.day,
        labels.conversation_key,
        labels.facet as of_facet
    from labels
    where labels.value is not null and labels.facet in (select facets.of_facet from facets)
),

-- A value that the grid does not have says that the facet does not apply; no value at all is an answer where any number
-- may hold.
known as (
    select distinct
        labels.day,
        labels.conversation_key,
        labels.facet
    from labels
    inner join facets on labels.facet = facets.facet
    left join events
        on
            labels.day = events.day
            and labels.conversation_key = events.conversation_key
            and facets.of_facet = events.of_facet
    where
        (facets.of_facet is null or events.of_facet is not null)
        and (labels.value = facets.value or (labels.value is null and facets.values_told = 'any_number'))
),

facet_types as (
    select distinct
        facet,
        affective_type
    from facets
),

by_type as (
    select
        analysed.period_key,
        facet_types.facet,
        analysed.affective_type,
        analysed.day,
        analysed.conversation_key,
        analysed.user_key,
        analysed.weight
    from analysed
    inner join facet_types using (affective_type)
),

asked as (
    select * from by_type
    union all by name
    -- Each conversation once, whatever its types.
    select
        by_type.period_key,
        by_type.facet,
        'any' as affective_type,
        by_type.day,
        by_type.conversation_key,
        any_value(by_type.user_key) as user_key,
        any_value(by_type.weight) as weight
    from by_type
    group by by_type.period_key, by_type.facet, by_type.day, by_type.conversation_key
    union all by name
    select
        counted.period_key,
        facet_types.facet,
        facet_types.affective_type,
        counted.day,
        counted.conversation_key,
        counted.user_key,
        counted.weight
    from counted
    inner join facet_types on facet_types.affective_type = 'all'
),

told as (
    select * from asked
    semi join known using (day, conversation_key, facet)
),

members as (
    select
        told.*,
        labels.value
    from told
    inner join labels using (day, conversation_key, facet)
    where labels.value is not null
),

grid as (
    select
        {{ period_columns() | indent(8) }},
        facets.facet,
        facets.value,
        facets.affective_type,
        facets.of_facet,
        facets.values_told
    from periods
    cross join facets
),

{{
    cell_measures(
        "members", "told", "grid", cell=["facet", "value", "affective_type"], of=["facet", "affective_type"]
    )
}},

estimated as (
    select
        *,
        wilson_interval(share, residual_square, of_conversations, of_users, of_kish) as share_interval
    from cells
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    facet,
    value,
    affective_type,

    -- what the facet is
    of_facet,
    values_told,

    -- counts
    {{ count_columns() | indent(4) }},

    -- weights
    cell_weight,
    of_weight,

    -- estimates
    share,
    share_interval.low as share_low,
    share_interval.high as share_high
from estimated
