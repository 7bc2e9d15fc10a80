-- Which channel earns its money? Spend from the uploaded file against the orders it brought.
with spent as (
    select
        date_trunc('month', spend.day::date)::date as month,
        spend.channel,
        sum(spend.spend_eur::numeric(12, 2)) as spend,
        sum(spend.clicks::bigint) as clicks
    from {{ ref('stg_spend') }} as spend
    group by 1, 2
),

earned as (
    select
        date_trunc('month', ordered_at)::date as month,
        channel,
        count(*) as orders,
        sum(total) as revenue
    from {{ ref('stg_orders') }}
    where status <> 'canceled'
    group by 1, 2
)

select
    spent.month,
    spent.channel,
    spent.spend,
    spent.clicks,
    coalesce(earned.orders, 0) as orders,
    coalesce(earned.revenue, 0) as revenue,
    round(earned.revenue / nullif(spent.spend, 0), 2) as revenue_per_euro,
    round(spent.spend / nullif(earned.orders, 0), 2) as cost_per_order
from spent
left join earned on earned.month = spent.month and earned.channel = spent.channel
