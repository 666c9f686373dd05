{# Column lists that several tables share, so that they cannot drift apart. #}
{% macro period_columns() -%}
    period_key,
    period_kind,
    period_start,
    period_end
{%- endmacro %}

{% macro count_columns() -%}
    n_conversations,
    n_users,
    of_conversations,
    of_users,
    rest_conversations,
    rest_users,
    top_user_conversations,
    top_two_conversations
{%- endmacro %}

{% macro coded_columns() -%}
    coded_yes_conversations,
    coded_yes_users,
    coded_no_conversations,
    coded_no_users
{%- endmacro %}
