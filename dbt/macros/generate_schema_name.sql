{# A schema is called what its layer is called: no prefix. Dagster's asset keys are made of these names. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
