{# Names as SQL: ('a', 'b') for `in`, ['a', 'b'] as a list, and one row a name. #}
{% macro sql_list(values) -%}
    ('{{ values | join("', '") }}')
{%- endmacro %}

{% macro sql_array(values) -%}
    ['{{ values | join("', '") }}']
{%- endmacro %}

{% macro sql_rows(values) -%}
    unnest({{ sql_array(values) }})
{%- endmacro %}
