{#-
  dbt's incremental materialization (dbt-adapters 1.24), with one difference: the table of new rows
  is not temporary (see temporary.sql), so it is dropped before the commit and nobody ever sees it.
  No hooks: the platform refuses them.
-#}
{% materialization incremental, adapter='postgres' -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set new_rows = make_temp_relation(target_relation) -%}
  {%- set intermediate = make_intermediate_relation(target_relation) -%}
  {%- set backup = make_backup_relation(target_relation, 'table' if existing is none else existing.type) -%}
  {%- set rebuild = existing is not none and (should_full_refresh() or not existing.is_table) -%}
  {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore') -%}
  {%- set strategy = config.get('incremental_strategy') or 'default' -%}
  {%- set strategy_sql = adapter.get_incremental_strategy_macro(context, strategy) -%}

  {{ drop_relation_if_exists(load_cached_relation(intermediate)) }}
  {{ drop_relation_if_exists(load_cached_relation(backup)) }}
  {{ run_hooks([], inside_transaction=True) }}

  {% if existing is none %}
    {% set build_sql = get_create_table_as_sql(False, target_relation, sql) %}
  {% elif rebuild %}
    {% set build_sql = get_create_table_as_sql(False, intermediate, sql) %}
  {% else %}
    {% do run_query(get_create_table_as_sql(True, new_rows, sql)) %}
    {% if not config.get('contract').enforced %}
      {% do adapter.expand_target_column_types(from_relation=new_rows, to_relation=target_relation) %}
    {% endif %}
    {% set columns = process_schema_changes(on_schema_change, new_rows, existing)
        or adapter.get_columns_in_relation(existing) %}
    {% set build_sql = strategy_sql({
        'target_relation': target_relation,
        'temp_relation': new_rows,
        'unique_key': config.get('unique_key'),
        'dest_columns': columns,
        'incremental_predicates': config.get('predicates', none) or config.get('incremental_predicates', none),
    }) %}
  {% endif %}

  {% call statement('main') %}
    {{ build_sql }}
  {% endcall %}

  {% if existing is none or rebuild %}
    {% do create_indexes(intermediate if rebuild else target_relation) %}
  {% else %}
    {% do adapter.drop_relation(new_rows) %}
  {% endif %}
  {% if rebuild %}
    {% do adapter.rename_relation(existing, backup) %}
    {% do adapter.rename_relation(intermediate, target_relation) %}
  {% endif %}

  {% do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing, rebuild)) %}
  {% do persist_docs(target_relation, model) %}
  {% do adapter.commit() %}

  {% if rebuild %}
    {% do adapter.drop_relation(backup) %}
  {% endif %}
  {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}
