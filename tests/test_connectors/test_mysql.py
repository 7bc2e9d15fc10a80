"""`sql_database` on a real MariaDB: values, cursors, names, refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etlfabric_dagster.connectors.sql_database import CONNECTOR
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import ColumnPolicy, LoadMode, StreamPlan
from tests.test_connectors.conftest import LOOPBACK, Loader
from tests.test_connectors.servers import MariaDb, mariadb

VALUES: dict[str, tuple[str, list[tuple[str, str | None]]]] = {
    "tinyint(1)": ("smallint", [("1", "1"), ("-128", "-128"), ("2", "2")]),
    "tinyint unsigned": ("smallint", [("255", "255")]),
    "smallint unsigned": ("integer", [("65535", "65535")]),
    "mediumint": ("integer", [("-8388608", "-8388608")]),
    "int unsigned": ("bigint", [("4294967295", "4294967295")]),
    "bigint": ("bigint", [("-9223372036854775808", "-9223372036854775808")]),
    "bigint unsigned": ("numeric(20,0)", [("18446744073709551615", "18446744073709551615")]),
    "decimal(38,10)": (
        "numeric(38,10)",
        [("9999999999999999999999999999.9999999999",) * 2, ("-0.0000000001",) * 2],
    ),
    "float": ("real", [("0.1", "0.1"), ("16777217.0", "1.6777216e+07"), ("3.4028234e38",
              "3.4028235e+38")]),
    "double": ("double precision", [("0.1", "0.1"), ("1e-307", "1e-307"),
               ("0.30000000000000004", "0.30000000000000004")]),
    "bit(1)": ("boolean", [("b'1'", "true"), ("b'0'", "false")]),
    "bit(10)": ("bit(10)", [("b'1010'", "0000001010")]),
    "year": ("smallint", [("2026", "2026"), ("0", "0")]),
    "date": ("date", [("'9999-12-31'", "9999-12-31"), ("'0000-00-00'", None),
             ("'2026-00-10'", None)]),
    "datetime(6)": ("timestamp without time zone",
                    [("'2026-03-29 02:30:00.123456'", "2026-03-29 02:30:00.123456"),
                     ("'0000-00-00 00:00:00'", None)]),
    "timestamp(3) null": ("timestamp with time zone",
                     [("'2026-03-29 02:30:00.123'", "2026-03-29 02:30:00.123+00"),
                      ("0", None)]),
    "time(3)": ("interval", [("'-838:59:59.000'", "-838:59:59"), ("'12:00:00.500'",
                "12:00:00.5")]),
    "varchar(20)": ("text", [("''", ""), (r"'\\N'", r"\N"), ("' x '", " x "), ("'😀'", "😀")]),
    "longtext": ("text", [(r"""'q"u,o''te\n\\.\n\t'""", 'q"u,o\'te\n\\.\n\t'), ("'NULL'", "NULL")]),
    "char(5) charset latin1": ("text", [("'é'", "é")]),
    "enum('a','b c')": ("text", [("'b c'", "b c")]),
    "set('x','y')": ("text", [("'x,y'", "x,y"), ("''", "")]),
    "varbinary(10)": ("bytea", [("x'00ff0a'", r"\x00ff0a"), ("''", r"\x")]),
    "longblob": ("bytea", [(r"'\\N'", r"\x5c4e")]),
    "json": ("text", [("""'{"b": 1, "a": "é"}'""", '{"b": 1, "a": "é"}')]),
    "uuid": ("uuid", [("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
             "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    "inet6": ("inet", [("'2001:db8::1'", "2001:db8::1/128")]),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDb]:
    with mariadb() as running:
        yield running


@dataclass
class MySource:
    """A MariaDB database and the PostgreSQL it is loaded into."""

    server: MariaDb
    config: SourceConfig
    target_dsn: str

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        prepared = ("set sql_mode = ''", "set time_zone = '+00:00'", *statements)
        return self.server.run(*prepared, database=self.config.config["database"])

    def arrived(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.target_dsn, options="-c timezone=UTC") as connection:
            return connection.execute(query).fetchall()

    def with_config(self, **changes: Any) -> SourceConfig:
        return self.config.model_copy(update={"config": {**self.config.config, **changes}})


@pytest.fixture
def source(
    server: MariaDb, cluster: PostgresCluster, request: pytest.FixtureRequest
) -> Iterator[MySource]:
    name = "s_" + re.sub(r"\W", "", request.node.name)[:40]
    server.run(f"create database {name} character set utf8mb4")
    config = {
        "dialect": "mariadb",
        "host": "127.0.0.1",
        "port": server.port,
        "database": name,
        "username": "root",
    }
    connection = SourceConfig(
        connector="sql_database",
        config=config,
        secrets={"password": server.password},
        egress=LOOPBACK,
    )
    yield MySource(server, connection, cluster.dsn("postgres"))
    server.run(f"drop database {name}")


@pytest.fixture
def loader(source: MySource, tmp_path: Path) -> Loader:
    return Loader(source.target_dsn, str(tmp_path), schema="my_raw")


def test_every_type_and_value_survives(source: MySource, loader: Loader):
    names = {f"c{at}": declared for at, declared in enumerate(VALUES)}
    deepest = max(len(values) for _, values in VALUES.values()) + 1
    source.run("create table t ({})".format(", ".join(f"{n} {d}" for n, d in names.items())))
    for at in range(deepest):
        row = [values[at][0] if at < len(values) else "null" for _, values in VALUES.values()]
        source.run("insert into t values ({})".format(", ".join(row)))

    assert loader.load(source.config, "t") == deepest

    types = source.arrived(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'my_raw.t'::regclass and attnum > 0 and attname ~ '^c[0-9]'"
    )
    assert dict(types) == {f"c{at}": pg_type for at, (pg_type, _) in enumerate(VALUES.values())}
    for name, (_, values) in zip(names, VALUES.values(), strict=True):
        expected = sorted((str(text) for _, text in values if text is not None))
        after = source.arrived(f"select {name}::text from my_raw.t where {name} is not null")
        assert sorted(text for (text,) in after) == expected, names[name]


def test_zero_dates_become_null_and_are_counted(source: MySource, loader: Loader):
    source.run(
        "create table t (d date)", "insert into t values (0), ('2026-00-00'), ('2026-01-02')"
    )
    loader.load(source.config, "t")
    assert loader.warnings == ["t: d: 2 zero or partial dates became NULL."]


def test_nul_characters_are_removed_and_said(source: MySource, loader: Loader):
    source.run("create table t (v text)", r"insert into t values ('a\0b')")
    loader.load(source.config, "t")
    assert source.arrived("select v from my_raw.t") == [("ab",)]
    assert "NUL characters were removed from 1 rows" in loader.warnings[0]


BY_UPDATE: dict[str, Any] = {
    "mode": LoadMode.INCREMENTAL,
    "cursor": "updated_at",
    "primary_key": ("id",),
}


@pytest.mark.parametrize(
    "kind", ["datetime(6)", "timestamp(6)", "bigint unsigned", "decimal(30,5)"]
)
def test_only_rows_at_or_past_the_cursor_are_read_again(
    source: MySource, loader: Loader, kind: str
):
    moments = ["'2026-01-01 10:00:00.000001'", "'2026-01-01 10:00:00.000002'"]
    numbers = ["18446744073709551614", "18446744073709551615"]
    first, second = moments if "(6)" in kind else numbers
    source.run(
        f"create table t (id int primary key, updated_at {kind} not null, index (updated_at))",
        f"insert into t values (1, {first})",
    )
    assert loader.load(source.config, "t", **BY_UPDATE) == 1
    stream = StreamPlan(name="t", table="x", **BY_UPDATE)
    assert CONNECTOR.probe(source.config, [stream], loader.context.state) == set()
    source.run(f"insert into t values (2, {first}), (3, {second})")
    assert CONNECTOR.probe(source.config, [stream], loader.context.state) == {"t"}
    assert loader.load(source.config, "t", **BY_UPDATE) == 3
    assert loader.load(source.config, "t", **BY_UPDATE) == 1


def test_initial_value_and_lag_open_the_window(source: MySource, loader: Loader):
    source.run(
        "create table t (id int primary key, updated_at timestamp(6) not null)",
        "insert into t select seq, timestamp '2026-01-01 00:00:00' + interval seq second"
        " from seq_1_to_5",
    )
    loader.load(source.config, "t", **BY_UPDATE, initial_value="2026-01-01T01:00:04+01:00")
    assert source.arrived("select id from my_raw.t order by 1") == [(4,), (5,)]
    loader.load(source.config, "t", **BY_UPDATE, lag_s=2.5)
    assert source.arrived("select id from my_raw.t order by 1") == [(3,), (4,), (5,)]


def test_append_without_key_neither_loses_nor_repeats_rows_at_the_boundary(
    source: MySource, loader: Loader
):
    source.run(
        "create table t (at date not null, v text)",
        "insert into t values ('2026-01-01', 'a'), ('2026-01-02', ''), ('2026-01-02', null)",
    )
    append: dict[str, Any] = {"mode": LoadMode.APPEND, "cursor": "at"}
    assert loader.load(source.config, "t", **append) == 3
    assert loader.load(source.config, "t", **append) == 0
    source.run("insert into t values ('2026-01-02', 'late')")
    assert loader.load(source.config, "t", **append) == 1


def test_policies_and_scd2_hashes_work_on_rows(source: MySource, loader: Loader):
    source.run("create table t (id int, email text, pay int)", "insert into t values (1, 'a@b', 5)")
    policies = {"email": ColumnPolicy.MASK, "pay": ColumnPolicy.DROP}
    loader.load(source.config, "t", columns=policies, mode=LoadMode.SCD2, primary_key=("id",))
    ((email, hashed),) = source.arrived("select email, _fabric_row_hash from my_raw.t")
    assert email == "***"
    assert len(hashed) == 32


def test_discovery_finds_types_keys_cursors_and_views(source: MySource):
    source.run(
        "create table `we``ird %s {} 数` (`se``lect` int auto_increment primary key,"
        " `Größe` varchar(9) not null, updated_at datetime not null, gone datetime)",
        "insert into `we``ird %s {} 数` values (1, '', '2026-01-01', null)",
        "create view v as select 1 as one",
    )
    streams = {stream.name: stream for stream in CONNECTOR.discover(source.config)}
    assert set(streams) == {"we`ird %s {} 数", "v"}
    odd = streams["we`ird %s {} 数"]
    assert [(c.name, c.nullable) for c in odd.columns] == [
        ("se`lect", False), ("Größe", False), ("updated_at", False), ("gone", True),
    ]  # fmt: skip
    assert odd.primary_key == ("se`lect",)
    assert odd.cursor_candidates == ("updated_at", "se`lect")


def test_hostile_names_are_read(source: MySource, loader: Loader):
    source.run(
        "create table `we``ird %s {} 数` (`se``lect` int, `{}` int)",
        "insert into `we``ird %s {} 数` values (1, 2)",
    )
    loader.load(source.config, "we`ird %s {} 数", table="odd")
    assert source.arrived("select * from my_raw.t") == [(1, 2, "1.0")]


@pytest.mark.parametrize(
    ("config", "step", "cause"),
    [
        ({"database": "nope"}, "database", "127.0.0.1 has no database “nope”"),
        ({"username": "nobody"}, "login", "127.0.0.1 refused the login of “nobody”."),
        ({"tls": "require"}, "tls", "does not speak TLS, and this connection requires it."),
        ({"port": 1}, "reach", "127.0.0.1:1 refused the connection."),
        ({"schema": "nope"}, "schema", "has no schema “nope”"),
    ],
)
def test_check_names_the_step_the_cause_and_a_remedy(
    source: MySource, config: dict[str, Any], step: str, cause: str
):
    result = CONNECTOR.check(source.with_config(**config))
    assert not result.ok
    assert cause in result.cause
    assert result.remedy
    assert result.steps[-1].name == step


def test_good_connection_passes(source: MySource):
    source.run("create table t (id int)")
    result = CONNECTOR.check(source.config)
    assert result.ok
    assert [step.ok for step in result.steps] == [True] * 7


def test_tables_that_may_not_be_read_are_named(source: MySource):
    name = source.config.config["database"]
    source.run(
        "create table open_ (id int)",
        "create table closed (id int)",
        "create user reader@127.0.0.1 identified by 'pw'",
        f"grant select on {name}.open_ to reader@127.0.0.1",
        f"grant insert on {name}.closed to reader@127.0.0.1",
    )
    reader = source.with_config(username="reader").model_copy(
        update={"secrets": {"password": "pw"}}
    )
    try:
        result = CONNECTOR.check(reader)
        assert result.ok
        assert result.cause == f"“reader” may not read 1 of 2 tables: {name}.closed."
        assert [stream.name for stream in CONNECTOR.discover(reader)] == ["open_"]
    finally:
        source.run("drop user reader@127.0.0.1")


def test_refusals_name_the_stream(source: MySource, loader: Loader):
    source.run(
        "create table t (id int primary key, updated_at datetime)",
        "insert into t values (1, null)",
    )
    with pytest.raises(ConnectorError, match="1 row of t has no updated_at"):
        loader.load(source.config, "t", **BY_UPDATE)
    with pytest.raises(ConnectorError, match="gone is no longer in"):
        loader.load(source.config, "gone")
    source.run("delete from t")
    with pytest.raises(ConnectorError, match="“soon” is not of its type"):
        loader.load(source.config, "t", **BY_UPDATE, initial_value="soon")
