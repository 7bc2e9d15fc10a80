-- How is business today? One row a day, days without orders included.
with days as (
    select generate_series(
        (select min(ordered_at)::date from {{ ref('stg_orders') }}),
        (select max(ordered_at)::date from {{ ref('stg_orders') }}),
        interval '1 day'
    )::date as day
)

select
    days.day,
    count(orders.id) as orders,
    count(distinct orders.customer_id) as customers,
    coalesce(sum(orders.total), 0) as revenue,
    round(avg(orders.total), 2) as average_order
from days
left join {{ ref('stg_orders') }} as orders
    on orders.ordered_at::date = days.day and orders.status <> 'canceled'
group by days.day
