{#-
  Tenants' logins have no TEMP privilege. What dbt wants to be temporary is an unlogged table in
  the target's own schema, created and dropped inside the transaction that needs it.
-#}
{% macro postgres__make_temp_relation(base_relation, suffix) %}
  {{ return(postgres__make_relation_with_suffix(base_relation, suffix, dstring=True)) }}
{% endmacro %}

{% macro postgres__create_table_as(temporary, relation, sql) -%}
  {%- set sql_header = config.get('sql_header', none) -%}
  {%- set contract = config.get('contract') -%}
  {{ sql_header if sql_header is not none }}
  create {{ 'unlogged' if temporary or config.get('unlogged', default=false) }} table {{ relation }}
  {% if contract.enforced -%}
    {{ get_assert_columns_equivalent(sql) }}
  {%- endif %}
  {% if contract.enforced and not temporary -%}
    {{ get_table_columns_and_constraints() }};
    insert into {{ relation }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
    {%- set sql = get_select_subquery(sql) %}
  {%- else -%}
    as
  {%- endif %}
  (
    {{ sql }}
  );
{%- endmacro %}

{#- After the commit of a snapshot: its staging table is ours to drop. -#}
{% macro postgres__post_snapshot(staging_relation) %}
  {% do adapter.drop_relation(staging_relation.incorporate(type='table')) %}
{% endmacro %}
