{#
    A file of the home as SQL: quotes doubled, square brackets kept from being a pattern. Where the home lies is said
    when a model runs and not when it is parsed: what was parsed then holds for a home that was moved, or is another.
#}
{% macro home_file(path) -%}
    {%- if execute -%}
        '{{ env_var("CONFIDE_HOME") | replace("'", "''") | replace("[", "[[]") }}/{{ path }}'
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}

{# A table of the lake, every file of it. `source` tells dbt, and Dagster, what the model comes from. #}
{% macro lake(table) -%}
    {%- do source("lake", table) -%}
    read_parquet(
        {{ home_file("private/lake/" ~ table ~ "/*=*/*.parquet") }},
        hive_partitioning = true,
        hive_types_autocast = false,
        union_by_name = true
    )
{%- endmacro %}
