{#
    What this run is about: the days given by --event-time-start and --event-time-end, and the periods asked for in the
    requests file. Models read and replace these; tests look at these, so that a day costs the same after a year of days.
#}

{# Condition on the day: the days of this run, or every day where the run names none. #}
{% macro days_of_this_run(day="day") -%}
    {%- set start, end = invocation_args_dict.get("event_time_start"), invocation_args_dict.get("event_time_end") -%}
    {%- if start and end -%}
        ({{ day }} >= '{{ start }}' and {{ day }} < '{{ end }}')
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Condition on `period_key`: the periods asked for. #}
{% macro periods_of_this_run() -%}
    period_key in (select period_key from staging.stg_periods)
{%- endmacro %}

{#
    dbt leads every generic test through this macro; the placeholders stand in dbt_project.yml. A test's own condition
    may hold a placeholder beside it: "facet = 'pushback' and __days_of_this_run__".
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get("where") -%}
    {%- if where -%}
        {%- set where = where
            | replace("__days_of_this_run__", days_of_this_run())
            | replace("__periods_of_this_run__", periods_of_this_run()) -%}
        (select * from {{ relation }} where {{ where }}) as dbt_subquery
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
