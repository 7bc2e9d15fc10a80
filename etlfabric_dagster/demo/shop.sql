-- Three years of a small shop, generated inside the server. The same numbers on every machine:
-- each value is a hash of its row's number, and only the calendar moves with the first day.

CREATE FUNCTION luck(id bigint, salt bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(id, salt) & 1073741823) / 1073741824.0;

COMMENT ON FUNCTION luck IS 'A number in [0, 1) that depends on nothing but its arguments.';

CREATE TABLE customers (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    country char(2) NOT NULL,
    newsletter boolean NOT NULL,
    birth_date date,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE products (
    id integer PRIMARY KEY,
    sku text NOT NULL UNIQUE,
    name text NOT NULL,
    category text NOT NULL,
    price numeric(10, 2) NOT NULL,
    cost numeric(10, 2) NOT NULL,
    tags text[] NOT NULL,
    attributes jsonb NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE orders (
    id bigint PRIMARY KEY,
    customer_id bigint NOT NULL,
    status text NOT NULL
        CHECK (status IN ('placed', 'paid', 'shipped', 'delivered', 'canceled')),
    channel text NOT NULL,
    coupon text,
    total numeric(12, 2) NOT NULL,
    ordered_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE order_items (
    order_id bigint NOT NULL,
    line integer NOT NULL,
    product_id integer NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price numeric(10, 2) NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, line)
);

CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id bigint NOT NULL,
    method text NOT NULL,
    amount numeric(12, 2) NOT NULL,
    succeeded boolean NOT NULL,
    paid_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE refunds (
    id bigint PRIMARY KEY,
    order_id bigint NOT NULL,
    amount numeric(12, 2) NOT NULL,
    reason text,
    refunded_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- 10 categories x 12 products
INSERT INTO products
SELECT
    (c.n - 1) * 12 + i,
    upper(left(c.category, 4)) || '-' || lpad(i::text, 3, '0'),
    (ARRAY['Classic', 'Small', 'Large', 'Travel', 'Café', 'Müller', 'Nordic', 'Double',
           'Everyday', 'Studio', 'Grand', 'Limited'])[i] || ' ' || c.thing,
    c.category,
    p.price,
    round(p.price * (0.42 + 0.2 * luck(c.n * 100 + i, 1))::numeric, 2),
    CASE WHEN i % 4 = 0 THEN ARRAY['gift', c.category] ELSE ARRAY[c.category] END,
    jsonb_build_object('grams', 80 + i * 35 + c.n * 20, 'dishwasher', i % 3 <> 0),
    date_trunc('month', now()) - interval '36 months'
FROM (VALUES
    (1, 'kettles', 'kettle', 64), (2, 'teapots', 'teapot', 39), (3, 'cups', 'cup', 14),
    (4, 'grinders', 'grinder', 119), (5, 'filters', 'filter', 9), (6, 'tea', 'tea, 250 g', 12),
    (7, 'coffee', 'coffee, 500 g', 16), (8, 'scales', 'scale', 34), (9, 'jars', 'jar', 18),
    (10, 'books', 'book', 24)
) AS c (n, category, thing, base),
generate_series(1, 12) AS i,
LATERAL (
    SELECT round((c.base * (0.6 + 1.1 * luck(c.n * 100 + i, 2)))::numeric) - 0.10 AS price
) AS p;

-- How many orders each day brings: growth, the week, the year, a festive peak, chance.
CREATE TEMPORARY TABLE plan AS
SELECT
    row_number() OVER (ORDER BY d.day, n) AS id,
    d.day + interval '1 hour' * (7 + 8.4 * (luck(d.orders * 9973 + n, 3) + luck(n, 4))) AS ordered_at
FROM (
    SELECT
        day,
        (22 * exp(0.026 * (day::date - first::date) / 30.4)
            * (ARRAY[1.12, 0.95, 0.92, 0.94, 1.0, 1.08, 1.16])[extract(dow FROM day)::integer + 1]
            * (1 + 0.14 * cos(2 * pi() * (extract(doy FROM day) - 15) / 365.25))
            * CASE WHEN extract(month FROM day) = 12 AND extract(day FROM day) < 21 THEN 1.7
                   WHEN extract(month FROM day) = 11 AND extract(day FROM day) > 22 THEN 1.9
                   ELSE 1 END
            * (0.8 + 0.4 * luck(day::date - first::date, 5)))::integer AS orders
    FROM (SELECT date_trunc('month', now()) - interval '36 months' AS first) AS f,
        generate_series(first, date_trunc('day', now()), interval '1 day') AS day
) AS d, generate_series(1, d.orders) AS n;

DELETE FROM plan WHERE ordered_at > now();

-- Who orders: somebody new, or one of those who came before, rather recently.
CREATE TEMPORARY TABLE who AS
SELECT
    id,
    ordered_at,
    is_new,
    CASE WHEN is_new THEN known
         ELSE greatest(1, ceil(known * power(luck(id, 7), 0.6))::bigint) END AS customer_id
FROM (
    SELECT *, sum(is_new::integer) OVER (ORDER BY id) AS known
    FROM (SELECT *, id = 1 OR luck(id, 6) < 0.4 AS is_new FROM plan) AS p
) AS k;

INSERT INTO customers
SELECT
    customer_id,
    first || ' ' || last,
    lower(translate(first || '.' || last, 'ëéøßü ''', 'eeosu')) || '.' || customer_id || '@example.com',
    CASE WHEN c < 0.46 THEN 'DE' WHEN c < 0.64 THEN 'FR' WHEN c < 0.78 THEN 'NL'
         WHEN c < 0.9 THEN 'AT' ELSE 'CH' END,
    luck(customer_id, 9) < 0.55,
    CASE WHEN luck(customer_id, 10) < 0.6
         THEN date '1950-01-01' + (luck(customer_id, 11) * 20000)::integer END,
    created_at,
    created_at
FROM (
    SELECT
        customer_id,
        ordered_at - interval '20 minutes' * luck(customer_id, 8) AS created_at,
        luck(customer_id, 12) AS c,
        (ARRAY['Anna', 'Ben', 'Chloé', 'David', 'Eva', 'Finn', 'Greta', 'Hugo', 'Ida', 'Jan',
               'Klara', 'Léon', 'Mia', 'Noah', 'Olga', 'Paul', 'Rosa', 'Sven', 'Tess', 'Zoë']
        )[1 + floor(20 * luck(customer_id, 13))::integer] AS first,
        (ARRAY['Bakker', 'Dubois', 'Fischer', 'Gruber', 'Huber', 'Jansen', 'Keller', 'Lefèvre',
               'Meyer', 'Müller', 'O''Brien', 'Petit', 'Rossi', 'Schmidt', 'Søndergaard',
               'Visser', 'Weiß', 'Wagner', 'de Vries', 'Zimmermann']
        )[1 + floor(20 * luck(customer_id, 14))::integer] AS last
    FROM who WHERE is_new
) AS n;

CREATE FUNCTION order_channel(order_id bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN luck(order_id, 15) < 0.44 THEN 'organic' WHEN luck(order_id, 15) < 0.68 THEN 'search'
            WHEN luck(order_id, 15) < 0.83 THEN 'social' WHEN luck(order_id, 15) < 0.92 THEN 'newsletter'
            ELSE 'marketplace' END;

-- Gives each row of `new_orders` its lines, total and payments.
CREATE FUNCTION take_orders() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO order_items
    SELECT
        o.id,
        line,
        p.id,
        1 + floor(2.4 * power(luck(o.id * 8 + line, 20), 2))::integer,
        round(p.price * (1 - 0.02 * extract(year FROM age(now(), o.ordered_at)))::numeric, 2),
        o.updated_at
    FROM new_orders AS o
    CROSS JOIN generate_series(1, (ARRAY[1, 1, 1, 1, 1, 2, 2, 2, 3, 4])[
        1 + floor(10 * luck(o.id, 21))::integer]) AS line
    JOIN products AS p ON p.id = 1 + (
        floor(120 * power(luck(o.id * 8 + line, 22), 1.6))::integer * 37) % 120;

    INSERT INTO orders
    SELECT id, customer_id, status, channel, coupon, total, ordered_at, updated_at
    FROM new_orders AS o
    JOIN (
        SELECT order_id, sum(quantity * unit_price) AS total
        FROM order_items WHERE order_id >= (SELECT min(id) FROM new_orders) GROUP BY order_id
    ) AS i ON i.order_id = o.id;

    INSERT INTO payments
    SELECT
        md5('payment ' || o.id || ' ' || try)::uuid,
        o.id,
        (ARRAY['card', 'card', 'card', 'paypal', 'paypal', 'invoice'])[
            1 + floor(6 * luck(o.id, 23))::integer],
        o.total,
        try = 1,
        least(now(), o.ordered_at + interval '3 minutes' * (2 - try)),
        o.updated_at
    FROM orders AS o
    CROSS JOIN generate_series(CASE WHEN luck(o.id, 24) < 0.03 THEN 0 ELSE 1 END, 1) AS try
    WHERE o.id >= (SELECT min(id) FROM new_orders) AND o.status NOT IN ('placed', 'canceled');
END $$;

CREATE TEMPORARY TABLE new_orders ON COMMIT DROP AS
SELECT
    id,
    customer_id,
    CASE WHEN luck(id, 16) < 0.03 THEN 'canceled'
         WHEN ordered_at < now() - interval '6 days' THEN 'delivered'
         WHEN ordered_at < now() - interval '2 days' THEN 'shipped'
         WHEN ordered_at < now() - interval '3 hours' THEN 'paid'
         ELSE 'placed' END AS status,
    order_channel(id) AS channel,
    CASE WHEN luck(id, 17) < 0.12 THEN 'WELCOME' || 5 * ceil(3 * luck(id, 18)) END AS coupon,
    ordered_at,
    ordered_at + least(interval '6 days', now() - ordered_at) * luck(id, 19) AS updated_at
FROM who;

SELECT take_orders();

INSERT INTO refunds
SELECT
    row_number() OVER (ORDER BY id),
    id,
    CASE WHEN luck(id, 26) < 0.6 THEN total ELSE round(total * 0.4, 2) END,
    (ARRAY['arrived broken', 'too late', NULL, 'not as described', 'changed their mind'])[
        1 + floor(5 * luck(id, 27))::integer],
    ordered_at + least(interval '9 days', now() - ordered_at) * (0.7 + 0.3 * luck(id, 29)),
    ordered_at + least(interval '9 days', now() - ordered_at) * (0.7 + 0.3 * luck(id, 29))
FROM orders WHERE status = 'delivered' AND luck(id, 25) < 0.045;

CREATE INDEX ON customers (updated_at);
CREATE INDEX ON orders (updated_at);
CREATE INDEX ON orders (status) WHERE status NOT IN ('delivered', 'canceled');
CREATE INDEX ON order_items (updated_at);
CREATE INDEX ON payments (updated_at);
CREATE INDEX ON refunds (updated_at);
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers;
ALTER TABLE order_items ADD FOREIGN KEY (order_id) REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
    ADD FOREIGN KEY (product_id) REFERENCES products;
ALTER TABLE payments ADD FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE refunds ADD FOREIGN KEY (order_id) REFERENCES orders;

-- Life goes on: new orders since the last one, and older ones that move a step further.
CREATE FUNCTION add_orders(wanted integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    first_id bigint := (SELECT max(id) + 1 FROM orders);
    known bigint := (SELECT max(id) FROM customers);
    since timestamptz := (SELECT least(max(ordered_at), now() - interval '1 hour') FROM orders);
BEGIN
    CREATE TEMPORARY TABLE new_orders ON COMMIT DROP AS
    SELECT
        first_id + n AS id,
        greatest(1, ceil(known * power(luck(first_id + n, 7), 0.6))::bigint) AS customer_id,
        CASE WHEN luck(first_id + n, 28) < 0.8 THEN 'paid' ELSE 'placed' END AS status,
        order_channel(first_id + n) AS channel,
        NULL::text AS coupon,
        since + (now() - since) * ((n + 1) / wanted::double precision) AS ordered_at,
        now() AS updated_at
    FROM generate_series(0, wanted - 1) AS n;
    PERFORM take_orders();
    DROP TABLE new_orders;
    UPDATE orders SET
        status = CASE WHEN ordered_at < now() - interval '6 days' THEN 'delivered' ELSE 'shipped' END,
        updated_at = now()
    WHERE id < first_id AND (
        status = 'paid' AND ordered_at < now() - interval '2 days'
        OR status = 'shipped' AND ordered_at < now() - interval '6 days');
    RETURN wanted;
END $$;

ANALYZE;
