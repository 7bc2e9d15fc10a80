-- The 8 TPC-H tables at scale 0.01, in the benchmark's types; values follow the row's number.
CREATE TABLE region (r_regionkey integer PRIMARY KEY, r_name char(25) NOT NULL, r_comment varchar(152));
CREATE TABLE nation (
    n_nationkey integer PRIMARY KEY, n_name char(25) NOT NULL,
    n_regionkey integer NOT NULL REFERENCES region, n_comment varchar(152)
);
CREATE TABLE supplier (
    s_suppkey integer PRIMARY KEY, s_name char(25) NOT NULL, s_address varchar(40) NOT NULL,
    s_nationkey integer NOT NULL REFERENCES nation, s_phone char(15) NOT NULL,
    s_acctbal decimal(15, 2) NOT NULL, s_comment varchar(101) NOT NULL
);
CREATE TABLE customer (
    c_custkey integer PRIMARY KEY, c_name varchar(25) NOT NULL, c_address varchar(40) NOT NULL,
    c_nationkey integer NOT NULL REFERENCES nation, c_phone char(15) NOT NULL,
    c_acctbal decimal(15, 2) NOT NULL, c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL
);
CREATE TABLE part (
    p_partkey integer PRIMARY KEY, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL,
    p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL, p_size integer NOT NULL,
    p_container char(10) NOT NULL, p_retailprice decimal(15, 2) NOT NULL, p_comment varchar(23) NOT NULL
);
CREATE TABLE partsupp (
    ps_partkey integer NOT NULL REFERENCES part, ps_suppkey integer NOT NULL REFERENCES supplier,
    ps_availqty integer NOT NULL, ps_supplycost decimal(15, 2) NOT NULL, ps_comment varchar(199) NOT NULL,
    PRIMARY KEY (ps_partkey, ps_suppkey)
);
CREATE TABLE orders (
    o_orderkey bigint PRIMARY KEY, o_custkey integer NOT NULL REFERENCES customer,
    o_orderstatus char(1) NOT NULL, o_totalprice decimal(15, 2) NOT NULL, o_orderdate date NOT NULL,
    o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL, o_shippriority integer NOT NULL,
    o_comment varchar(79) NOT NULL
);
CREATE TABLE lineitem (
    l_orderkey bigint NOT NULL REFERENCES orders, l_partkey integer NOT NULL, l_suppkey integer NOT NULL,
    l_linenumber integer NOT NULL, l_quantity decimal(15, 2) NOT NULL,
    l_extendedprice decimal(15, 2) NOT NULL, l_discount decimal(15, 2) NOT NULL,
    l_tax decimal(15, 2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL,
    l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
    l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber),
    FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp
);

INSERT INTO region SELECT i, (ARRAY['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'])[i + 1],
    CASE WHEN i = 2 THEN NULL WHEN i = 3 THEN '' ELSE 'a "quoted", \comment' || E'\n' || i END
FROM generate_series(0, 4) AS i;
INSERT INTO nation SELECT i, 'NATION ' || i, i % 5, repeat('é', i) FROM generate_series(0, 24) AS i;
INSERT INTO supplier SELECT i, 'Supplier#' || lpad(i::text, 9, '0'), md5('a' || i), i % 25,
    lpad(i::text, 15, '1'), (i * 7919 % 1100000 - 99999) / 100.0, md5('c' || i)
FROM generate_series(1, 100) AS i;
INSERT INTO customer SELECT i, 'Customer#' || lpad(i::text, 9, '0'), md5('a' || i), i % 25,
    lpad(i::text, 15, '2'), (i * 6571 % 1100000 - 99999) / 100.0,
    (ARRAY['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'HOUSEHOLD', 'MACHINERY'])[i % 5 + 1], md5('d' || i)
FROM generate_series(1, 1500) AS i;
INSERT INTO part SELECT i, 'part ' || md5(i::text), 'Manufacturer#' || i % 5 + 1, 'Brand#' || i % 50,
    'STANDARD ' || i % 150, i % 50 + 1, 'BOX ' || i % 40, 900 + i % 1000 + i / 100.0, left(md5('p' || i), 22)
FROM generate_series(1, 2000) AS i;
INSERT INTO partsupp SELECT i, (i * 4 + j * 25) % 100 + 1, i * (j + 3) % 9999 + 1, (i * j % 99900) / 100.0 + 1,
    md5('ps' || i || j) FROM generate_series(1, 2000) AS i, generate_series(0, 3) AS j;
INSERT INTO orders SELECT i * 4, i * 7 % 1500 + 1, (ARRAY['F', 'O', 'P'])[i % 3 + 1],
    i * 331 % 40000000 / 100.0, date '1992-01-01' + i % 2406, (i % 5 + 1) || '-PRIORITY',
    'Clerk#' || lpad((i % 1000)::text, 9, '0'), 0, md5('o' || i)
FROM generate_series(1, 15000) AS i;
INSERT INTO lineitem SELECT i * 4, p, (p * 4 + l % 4 * 25) % 100 + 1, l, i * l % 50 + 1, p * l * 91 % 9000000 / 100.0,
    l % 11 / 100.0, i % 9 / 100.0, (ARRAY['R', 'A', 'N'])[i % 3 + 1], (ARRAY['O', 'F'])[i % 2 + 1],
    d + l * 3, d + 45, d + l * 3 + 10, 'DELIVER IN PERSON', (ARRAY['AIR', 'RAIL', 'SHIP', 'TRUCK'])[l % 4 + 1],
    left(md5('l' || i || l), 30)
FROM generate_series(1, 15000) AS i, generate_series(1, i % 7 + 1) AS l,
    LATERAL (SELECT (i * 31 + l * 7) % 2000 + 1 AS p, date '1992-01-01' + i % 2406 AS d) AS x;
ANALYZE;
