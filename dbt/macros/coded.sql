{#
    What people found among the conversations predicted yes, and among those predicted no, cell by cell.

    coded   CTE, one row per labelled conversation and cell: period_key, the cell's keys, user_key, coded_weight,
            is_predicted, is_true
    cell    the cell's keys, besides period_key

    Writes CTEs, of which `coded_cells` is to be read: how many were labelled on either side, and `found`, null where
    they are too few. domain/estimation/correction.py says what it is for.
#}
{% macro coded_cells(coded, cell) -%}
{%- set keys = (["period_key"] + cell) | join(", ") -%}
coded_by_user as (
    select
        {{ keys }},
        is_predicted,
        user_key,
        count(*) as n,
        sum(coded_weight) as weight,
        coalesce(sum(coded_weight) filter (where is_true), 0) as true_weight
    from {{ coded }}
    group by {{ keys }}, is_predicted, user_key
),

coded_sides as (
    select
        {{ keys }},
        is_predicted,
        sum(n)::bigint as n_conversations,
        count(*) as n_users,
        share_of_true(list(true_weight), list(weight), sum(n)::bigint) as true_share
    from coded_by_user
    group by {{ keys }}, is_predicted
),

predicted_yes as (
    select * from coded_sides
    where is_predicted
),

predicted_no as (
    select * from coded_sides
    where not is_predicted
),

coded_cells as (
    select
        {{ keys }},
        yes.n_conversations as coded_yes_conversations,
        yes.n_users as coded_yes_users,
        no.n_conversations as coded_no_conversations,
        no.n_users as coded_no_users,
        if(
            yes.n_conversations + no.n_conversations >= {{ var("min_coded") }}
            and least(yes.n_conversations, no.n_conversations) >= {{ var("min_coded_a_side") }},
            struct_pack(yes := yes.true_share, no := no.true_share),
            null
        ) as found
    from predicted_yes as yes
    inner join predicted_no as no using ({{ keys }})
)
{%- endmacro %}

{# The counts of `coded_cells`, 0 in cells that it lacks. #}
{% macro coded_counts() -%}
coalesce(coded_yes_conversations, 0) as coded_yes_conversations,
coalesce(coded_yes_users, 0) as coded_yes_users,
coalesce(coded_no_conversations, 0) as coded_no_conversations,
coalesce(coded_no_users, 0) as coded_no_users
{%- endmacro %}

{# What people found, in the columns that the suppressor reads. #}
{% macro coded_estimates() -%}
found.yes.value as true_of_yes,
found.yes.low as true_of_yes_low,
found.yes.high as true_of_yes_high,
found.no.value as true_of_no,
found.no.low as true_of_no_low,
found.no.high as true_of_no_high
{%- endmacro %}

{# The number, -1 to 1, of one of the five levels of tone. #}
{% macro level_number(column) -%}
(list_position({{ sql_array(var("sentiment_levels")) }}, {{ column }}) - 3) / 2.0
{%- endmacro %}

{# The band of length of a conversation with so many human messages. #}
{% macro length_band(n_human_messages) -%}
if({{ n_human_messages }} < {{ var("sentiment_min_human_messages") }}, '{{ var("length_bands") | join("', '") }}')
{%- endmacro %}
