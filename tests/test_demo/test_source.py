"""The demo's source: a believable shop, the same everywhere, and never finished."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from etlfabric_dagster.demo import marketing
from etlfabric_dagster.demo.source import (
    READER,
    SourceServer,
    ensure_shop,
    insert_orders,
    set_reader_password,
)
from etlfabric_dagster.embedded.postgres import PostgresCluster


@pytest.fixture(scope="module")
def server(cluster: PostgresCluster) -> SourceServer:
    """The test's own server plays the source."""
    return SourceServer("127.0.0.1", cluster.port, cluster.dsn())


@pytest.fixture
def shop(server: SourceServer) -> Iterator[psycopg.Connection]:
    ensure_shop(server)
    with server.connect() as conn:
        yield conn


def one(conn: psycopg.Connection, query: str) -> object:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_shop_is_created_once(server: SourceServer, shop: psycopg.Connection) -> None:
    before = one(shop, "SELECT count(*) FROM orders")

    assert not ensure_shop(server)
    assert one(shop, "SELECT count(*) FROM orders") == before


def test_shop_has_years_of_orders(shop: psycopg.Connection) -> None:
    months = one(shop, "SELECT count(DISTINCT date_trunc('month', ordered_at)) FROM orders")

    assert months == 37
    assert one(shop, "SELECT count(*) FROM orders WHERE ordered_at > now()") == 0
    assert one(shop, "SELECT count(*) FROM orders") > 30_000  # type: ignore[operator]


def test_shop_grows_and_its_customers_come_back(shop: psycopg.Connection) -> None:
    first, last = shop.execute(
        "SELECT count(*) FILTER (WHERE ordered_at < now() - interval '24 months'),"
        " count(*) FILTER (WHERE ordered_at > now() - interval '12 months') FROM orders"
    ).fetchone() or (0, 0)
    again, everybody = shop.execute(
        "SELECT count(*) FILTER (WHERE n > 1), count(*)"
        " FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id) AS c"
    ).fetchone() or (0, 0)

    assert last > first
    assert 0.3 < again / everybody < 0.8


def test_totals_are_the_sums_of_their_lines(shop: psycopg.Connection) -> None:
    wrong = (
        "SELECT count(*) FROM orders AS o WHERE total IS DISTINCT FROM ("
        "SELECT sum(quantity * unit_price) FROM order_items WHERE order_id = o.id)"
    )

    assert one(shop, wrong) == 0


def test_new_orders_come_after_the_last_and_touch_updated_at(
    server: SourceServer, shop: psycopg.Connection
) -> None:
    last = one(shop, "SELECT max(id) FROM orders")
    before = one(shop, "SELECT clock_timestamp()")

    assert insert_orders(server, 7) == 7

    new = shop.execute(
        "SELECT count(*), count(*) FILTER (WHERE updated_at >= %s), min(total) FROM orders"
        " WHERE id > %s",
        (before, last),
    ).fetchone()
    assert new is not None
    assert new[:2] == (7, 7)
    assert new[2] > 0


def test_reader_may_read_and_nothing_else(server: SourceServer, shop: psycopg.Connection) -> None:
    set_reader_password(server, "first")
    set_reader_password(server, "second")

    login = f"host={server.host} port={server.port} user={READER} password=second dbname=shop"
    with psycopg.connect(login) as reader:
        assert reader.execute("SELECT count(*) FROM customers").fetchone() != (0,)
    with psycopg.connect(login, autocommit=True) as reader:
        reader.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM customers")


def test_marketing_file_is_the_same_all_day_and_longer_tomorrow() -> None:
    today, tomorrow = date(2026, 3, 1), date(2026, 3, 2)
    lines = marketing.spend_file(today).splitlines()

    assert marketing.spend_file(today).splitlines() == lines
    assert marketing.spend_file(tomorrow).splitlines()[: len(lines)] == lines
    assert len(marketing.spend_file(tomorrow).splitlines()) == len(lines) + 4
    assert lines[1].startswith(b'2023-03-01,search,"Q1 2023, search",')
