-- Do customers come back? By the month of their first order: how many ordered again, and when.
with numbered as (
    select
        customer_id,
        ordered_at,
        total,
        row_number() over (partition by customer_id order by ordered_at, id) as nth,
        min(ordered_at) over (partition by customer_id) as first_at
    from {{ ref('stg_orders') }}
    where status <> 'canceled'
),

by_customer as (
    select
        customer_id,
        date_trunc('month', min(first_at))::date as cohort,
        count(*) as orders,
        sum(total) as revenue,
        min(ordered_at) filter (where nth = 2) as second_at,
        min(first_at) as first_at
    from numbered
    group by customer_id
)

select
    cohort,
    count(*) as customers,
    count(second_at) as repeat_customers,
    round(count(second_at)::numeric / count(*), 4) as repeat_rate,
    count(*) filter (where second_at < first_at + interval '90 days') as repeated_within_90_days,
    round(sum(revenue) / count(*), 2) as revenue_per_customer
from by_customer
group by cohort
