{#
    How far the labeller agrees with people, cell by cell.

    judged  CTE, one row per labelled conversation and cell: period_key, the cell's keys, user_key, coded_weight,
            is_predicted, is_true
    cell    the cell's keys, besides period_key

    Writes CTEs, of which `cells` is to be read: the counts that the release rules ask for, and `measures`, a struct.
    Accuracy is of all that people labelled; of which the other measures are, predicted, true and either count.
#}
{% macro agreement_cells(judged, cell) -%}
{%- set keys = (["period_key"] + cell) | join(", ") -%}
by_user as (
    select
        {{ keys }},
        user_key,
        count(*) as n,
        count(*) filter (where is_predicted) as predicted,
        count(*) filter (where is_true) as true_ones,
        count(*) filter (where is_predicted or is_true) as either,
        coalesce(sum(coded_weight) filter (where is_predicted and is_true), 0) as weight_of_both,
        coalesce(sum(coded_weight) filter (where is_predicted and not is_true), 0) as weight_predicted_alone,
        coalesce(sum(coded_weight) filter (where is_true and not is_predicted), 0) as weight_true_alone,
        coalesce(sum(coded_weight) filter (where not is_predicted and not is_true), 0) as weight_of_neither
    from {{ judged }}
    group by {{ keys }}, user_key
),

cells as (
    select
        {{ keys }},
        sum(n)::bigint as n_conversations,
        count(*) as n_users,
        max(n) as top_user_conversations,
        list_sum(max(n, 2))::bigint as top_two_conversations,
        sum(predicted)::bigint as predicted_conversations,
        count(*) filter (where predicted > 0) as predicted_users,
        sum(true_ones)::bigint as true_conversations,
        count(*) filter (where true_ones > 0) as true_users,
        sum(either)::bigint as either_conversations,
        count(*) filter (where either > 0) as either_users,
        agreement_of(
            list(weight_of_both), list(weight_predicted_alone), list(weight_true_alone), list(weight_of_neither)
        ) as measures
    from by_user
    group by {{ keys }}
)
{%- endmacro %}


{# The facet that finds a category of prevalence; null of `companionship_or_roleplay`, which none finds by itself. #}
{% macro facet_of_category(category) -%}
case
    when {{ category }} in ('content_creation', 'pushback') then {{ category }}
    when {{ category }} = 'affective' then 'affective_type'
    when {{ category }} in {{ sql_list(var("affective_types")) }} then 'affective_type.' || {{ category }}
end
{%- endmacro %}
