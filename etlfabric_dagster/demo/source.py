"""The demo's source: a database `shop` on a server of its own, with a login that can only read."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources

import psycopg
from psycopg import sql

from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded.home import Home

DATABASE = "shop"
READER = "shop_reader"
GENERATOR_LOCK = 7_310_021  # advisory lock key: one generator at a time


@dataclass(frozen=True)
class SourceServer:
    """Where the shop's server listens, and how its superuser logs in."""

    host: str
    port: int
    superuser_dsn: str = field(repr=False)

    def connect(self, database: str = DATABASE) -> psycopg.Connection:
        """A superuser's connection that commits each statement."""
        return psycopg.connect(self.superuser_dsn, dbname=database, autocommit=True)


def embedded_source() -> SourceServer:
    """The server that `etlfabric up` runs for the demo. Raises StackError before the first `up`."""
    home = Home(settings.home_dir)
    cluster = home.source(home.install())
    return SourceServer("127.0.0.1", cluster.port, cluster.dsn())


def ensure_shop(server: SourceServer) -> bool:
    """Create and fill the shop's database: all of it or nothing. Idempotent.

    Returns whether it was created now.
    """
    with server.connect("postgres") as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (GENERATOR_LOCK,))
        known = "SELECT 1 FROM pg_database WHERE datname = %s"
        if not conn.execute(known, (DATABASE,)).fetchone():
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        with server.connect() as shop:
            if shop.execute("SELECT to_regclass('orders')").fetchone() != (None,):
                return False
            with shop.transaction():
                shop.execute(
                    resources.files("etlfabric_dagster.demo").joinpath("shop.sql").read_bytes()
                )
    return True


def set_reader_password(server: SourceServer, password: str) -> None:
    """Create the login that the connection uses, or give it this password. Idempotent."""
    reader = sql.Identifier(READER)
    with server.connect() as shop, shop.transaction():
        known = shop.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone()
        verb = sql.SQL("ALTER ROLE {}" if known else "CREATE ROLE {}").format(reader)
        shop.execute(sql.SQL("{} LOGIN PASSWORD {}").format(verb, sql.Literal(password)))
        shop.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(reader))
        shop.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(reader))


def insert_orders(server: SourceServer, count: int) -> int:
    """New orders since the last one, and older ones that move on. Returns how many are new."""
    with server.connect() as shop:
        row = shop.execute("SELECT add_orders(%s)", (count,)).fetchone()
    return row[0] if row else 0
