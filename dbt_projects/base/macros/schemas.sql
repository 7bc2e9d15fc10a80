{#- Every relation lands in the tenant's staging or marts schema; no name leads elsewhere. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {%- set prefix = var('etlfabric_prefix') -%}
  {%- set wanted = (custom_schema_name or '') | trim | lower -%}
  {%- if wanted in ['staging', 'stg', prefix ~ '_staging'] -%}
    {{ prefix }}_staging
  {%- elif not wanted and node.resource_type == 'model' and node.fqn[1] == 'staging' -%}
    {{ prefix }}_staging
  {%- else -%}
    {{ prefix }}_marts
  {%- endif -%}
{%- endmacro %}

{% macro generate_database_name(custom_database_name, node) -%}
  {{ target.database }}
{%- endmacro %}
