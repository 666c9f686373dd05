with periods as (
    select * from {{ ref("stg_periods") }}
),

analysed as (
    select * from {{ ref("int_analysed_conversations") }}
    semi join periods using (period_key)
    where affective_type = 'any'
),

labels as (
    select * from {{ ref("int_facet_labels") }}
),

-- Both ends known: else a conversation says nothing of drift.
known as (
    select
        analysed.period_key,
        analysed.user_key,
        analysed.weight,
        starts.value as start_type,
        ends.value as end_type
    from analysed
    inner join labels as starts using (day, conversation_key)
    inner join labels as ends using (day, conversation_key)
    where starts.facet = 'type_at_start' and ends.facet = 'type_at_end'
),

-- No rows where the labeller does not measure it.
grid as (
    select
        {{ period_columns() | indent(8) }},
        starts.value as start_type,
        ends.value as end_type
    from periods
    cross join {{ ref("stg_facets") }} as starts
    cross join {{ ref("stg_facets") }} as ends
    where
        starts.facet = 'type_at_start'
        and ends.facet = 'type_at_end'
        and starts.affective_type = 'any'
        and ends.affective_type = 'any'
),

{{ cell_measures("known", "known", "grid", cell=["start_type", "end_type"]) }},

estimated as (
    select
        *,
        wilson_interval(share, residual_square, of_conversations, of_users, of_kish) as share_interval
    from cells
)

select
    -- period and cell
    {{ period_columns() | indent(4) }},
    start_type,
    end_type,

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
