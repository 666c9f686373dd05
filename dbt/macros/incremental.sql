{#
    dbt's incremental materialization, in the two statements that this project needs of it. dbt-duckdb's own copies rows
    through a temporary table and asks nine questions a model, nearly half of what a model costs here; it also has no
    strategy that fits: delete+insert forgets a period that no longer has rows, and would leave its old ones behind, and
    microbatch runs each model once a day of the range, which costs a hundred times as much.

    Every day, or period, of this run is replaced whole, in one transaction; all others stay. A model whose columns are
    not those of its table fails (`on_schema_change: fail`), as does one that breaks its contract.
#}
{% materialization incremental, adapter="duckdb" %}
    {%- set target = this.incorporate(type="table") -%}
    {%- if load_cached_relation(this) is none or should_full_refresh() -%}
        {%- call statement("main") -%}
            drop table if exists {{ target }};
            {{ create_table_as(False, target, compiled_code) }}
        {%- endcall -%}
    {%- else -%}
        {%- if config.get("contract").enforced -%}
            {{ get_assert_columns_equivalent(compiled_code) }}
        {%- endif -%}
        {%- call statement("main") -%}
            {{ fail_on_schema_change(target, compiled_code) }}
            delete from {{ target }}
            where {{ rows_of_this_run(config.get("incremental_strategy")) }};
            insert into {{ target }} by name
            select * from ({{ compiled_code }});
        {%- endcall -%}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ return({"relations": [target]}) }}
{% endmaterialization %}

{# The condition of a strategy: which rows a run replaces. #}
{% macro rows_of_this_run(strategy) -%}
    {%- if strategy == "days_of_this_run" -%}
        {{ days_of_this_run() }}
    {%- elif strategy == "periods_of_this_run" -%}
        {{ periods_of_this_run() }}
    {%- else -%}
        {{ exceptions.raise_compiler_error("no such incremental strategy in this project: " ~ strategy) }}
    {%- endif -%}
{%- endmacro %}

{% macro fail_on_schema_change(target, query) -%}
    select case when
        (select list((column_name, column_type) order by column_name) from (describe {{ target }}))
        is distinct from
        (select list((column_name, column_type) order by column_name) from (describe select * from ({{ query }})))
        then error('the columns of the model are not those of its table')
    end;
{%- endmacro %}
