{# ['a', 'b'] as SQL: for `in` and `unnest`. #}
{% macro sql_list(values) -%}
    ({% for value in values %}'{{ value }}'{% if not loop.last %}, {% endif %}{% endfor %})
{%- endmacro %}

{% macro sql_rows(values) -%}
    unnest([{% for value in values %}'{{ value }}'{% if not loop.last %}, {% endif %}{% endfor %}])
{%- endmacro %}
