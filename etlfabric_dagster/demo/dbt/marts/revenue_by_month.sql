-- How does the shop grow? Revenue, refunds and margin by month and product category.
with sold as (
    select
        date_trunc('month', orders.ordered_at)::date as month,
        products.category,
        orders.id as order_id,
        items.quantity * items.unit_price as revenue,
        items.quantity * (items.unit_price - products.cost) as margin,
        items.quantity * items.unit_price / nullif(orders.total, 0) as share_of_order
    from {{ ref('stg_order_items') }} as items
    join {{ ref('stg_orders') }} as orders on orders.id = items.order_id
    join {{ ref('stg_products') }} as products on products.id = items.product_id
    where orders.status <> 'canceled'
),

refunded as (
    select order_id, sum(amount) as amount
    from {{ ref('stg_refunds') }}
    group by order_id
)

select
    sold.month,
    sold.category,
    count(distinct sold.order_id) as orders,
    sum(sold.revenue) as revenue,
    round(sum(coalesce(refunded.amount, 0) * coalesce(sold.share_of_order, 0)), 2) as refunds,
    sum(sold.margin) as margin
from sold
left join refunded on refunded.order_id = sold.order_id
group by sold.month, sold.category
