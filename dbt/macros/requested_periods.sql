{#
    Incremental strategy: every period asked for is replaced whole, every other period's rows stay.
    dbt's own delete+insert forgets a period that no longer has rows, and would leave its old ones behind.
#}
{% macro get_incremental_requested_periods_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}
    delete from {{ arg_dict["target_relation"] }}
    where period_key in (select period_key from {{ ref("stg_periods") }});

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }};
{%- endmacro %}
