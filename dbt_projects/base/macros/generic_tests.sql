{#- A key of several columns appears once. Generated for streams with a composite primary key. -#}
{% test unique_together(model, columns) %}
  {%- set quoted = [] -%}
  {%- for column in columns -%}
    {%- do quoted.append(adapter.quote(column)) -%}
  {%- endfor -%}
  select {{ quoted | join(', ') }}, count(*) as appearances
  from {{ model }}
  group by {{ quoted | join(', ') }}
  having count(*) > 1
{% endtest %}
