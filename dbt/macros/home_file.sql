{# A file of the home as SQL: quotes doubled, square brackets kept from being a pattern. #}
{% macro home_file(path) -%}
    '{{ env_var("CONFIDE_HOME") | replace("'", "''") | replace("[", "[[]") }}/{{ path }}'
{%- endmacro %}
