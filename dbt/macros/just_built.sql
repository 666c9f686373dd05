{#
    Tests look at the days or periods that this run builds, so that a day costs the same after a year of days.
    dbt leads every generic test through this macro; the placeholders stand in dbt_project.yml. A test's own
    condition may hold a placeholder beside it: "facet = 'pushback' and __just_built_days__".
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get("where") -%}
    {%- if where -%}
        {%- set where = where
            | replace("__just_built_days__", just_built_days())
            | replace("__just_built_periods__", just_built_periods()) -%}
        (select * from {{ relation }} where {{ where }}) as dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# Condition on the day: the days of this run, or every day where the run names none. #}
{% macro just_built_days(day="day") -%}
    {%- set start, end = invocation_args_dict.get("event_time_start"), invocation_args_dict.get("event_time_end") -%}
    {%- if start and end -%}
        ({{ day }} >= '{{ start }}' and {{ day }} < '{{ end }}')
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Condition on `period_key`: the periods asked for. #}
{% macro just_built_periods() -%}
    period_key in (select period_key from staging.stg_periods)
{%- endmacro %}
