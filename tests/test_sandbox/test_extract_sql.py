"""From a real database into a tenant's raw schema, through the sandbox: exact and repeatable."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import paramiko
import pytest

from etlfabric_dagster.sandbox import catalog
from etlfabric_dagster.schemas.jobs import (
    DoneEvent,
    EgressPolicy,
    ExtractJob,
    SourceConfig,
    StreamEvent,
    Warehouse,
)
from etlfabric_dagster.schemas.runs import StreamResult
from etlfabric_dagster.schemas.streams import ColumnPolicy, LoadMode, StreamPlan
from etlfabric_dagster.testing import SandboxServer
from tests.test_connectors.conftest import Source, source
from tests.test_connectors.servers import mariadb, ssh_server
from tests.test_connectors.test_postgres_values import VALUES

__all__ = ["source"]

MODES: dict[str, dict[str, Any]] = {
    "full": {"mode": LoadMode.FULL},
    "incremental": {"mode": LoadMode.INCREMENTAL, "cursor": "at", "primary_key": ("id",)},
    "merge": {"mode": LoadMode.MERGE, "primary_key": ("id",)},
    "append": {"mode": LoadMode.APPEND, "cursor": "at"},
    "scd2": {"mode": LoadMode.SCD2, "primary_key": ("id",)},
}


class Line:
    """One pipeline from a source to a tenant."""

    def __init__(self, sandbox: SandboxServer, warehouse: Warehouse, source: Source) -> None:
        self.sandbox, self.warehouse, self.source = sandbox, warehouse, source
        self.config = source.config
        self.state: str | None = None
        self.conn = catalog.connect(warehouse)

    def run(self, *plans: StreamPlan) -> dict[str, StreamResult]:
        job = ExtractJob(
            pipeline="p_sql",
            source=self.config,
            warehouse=self.warehouse,
            streams=plans,
            state=self.state,
            hash_key="org-key",
        )
        results: dict[str, StreamResult] = {}
        for event in self.sandbox.client.call(job):
            if isinstance(event, StreamEvent):
                results[event.name] = event.result
            if isinstance(event, DoneEvent):
                self.state = event.payload["state"]
        return results

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        self.conn.execute(f"set search_path = {self.warehouse.raw}")
        self.conn.execute("set timezone = 'UTC'; set extra_float_digits = 3")
        return self.conn.execute(query).fetchall()


@pytest.fixture
def line(sandbox: SandboxServer, warehouse: Warehouse, source: Source) -> Iterator[Line]:
    made = Line(sandbox, warehouse, source)
    yield made
    made.conn.close()


def plan(name: str = "t", **fields: Any) -> StreamPlan:
    return StreamPlan(**{"name": name, "table": f"shop__{name}", "mode": LoadMode.FULL, **fields})


@pytest.mark.parametrize("mode", MODES)
def test_every_value_reaches_the_raw_schema_in_every_mode(line: Line, mode: str):
    columns = {f"c{at}": pg_type for at, pg_type in enumerate(VALUES)}
    rows: list[str] = []
    listed = ", ".join(f"{name} {pg_type}" for name, pg_type in columns.items())
    line.source.run(
        f"create table t (id int primary key, at timestamptz not null default now(), {listed})"
    )
    for at in range(max(map(len, VALUES.values())) + 1):
        values = [f"{v[at]}::{t}" if at < len(v) else "null" for t, v in VALUES.items()]
        rows.append(f"({at}, now(), {', '.join(values)})")
    line.source.run(f"insert into t values {', '.join(rows)}")

    for _ in range(2):
        result = line.run(plan(**MODES[mode]))["t"]
        assert result.error is None
        assert result.warnings == ()

    types = catalog.read_tables(line.conn, line.warehouse.raw, ["shop__t"])["shop__t"]
    assert {name: types[name] for name in columns} == columns
    for name, pg_type in columns.items():
        query = f"select {name}::text, count(*) from {{}} group by 1 order by 1"
        before = line.source.rows(query.format("t"))
        assert line.rows(query.format("shop__t")) == before, pg_type


@pytest.mark.parametrize("mode", ["incremental", "append"])
def test_changed_rows_arrive_once_and_an_unchanged_stream_is_left_alone(line: Line, mode: str):
    line.source.run(
        "create table t (id int primary key, at timestamptz not null, v text)",
        "insert into t select n, '2026-01-01', '' from generate_series(1, 5) n",
    )
    assert line.run(plan(**MODES[mode]))["t"].rows == 5
    assert line.run(plan(**MODES[mode]))["t"].status == "unchanged"
    line.source.run("insert into t values (6, '2026-01-01', 'same'), (7, '2026-01-02', null)")
    line.run(plan(**MODES[mode]))
    assert line.rows("select id, v from shop__t order by id") == [
        *[(n, "") for n in range(1, 6)],
        (6, "same"),
        (7, None),
    ]


def test_one_stream_that_vanished_does_not_stop_the_others(line: Line):
    line.source.run(
        "create table a (id int)",
        "create table b (id int)",
        "insert into b values (1)",
        'create table twice ("userName" int, user_name int)',
    )
    line.run(plan("a"), plan("b"))
    line.source.run("drop table a", "insert into b values (2)")
    results = line.run(plan("a"), plan("twice"), plan("b"))
    assert {name: result.status for name, result in results.items()} == {
        "a": "failed",
        "twice": "failed",
        "b": "succeeded",
    }
    assert results["a"].error
    assert "a is no longer in" in results["a"].error.message
    assert results["twice"].error
    assert "both become user_name" in results["twice"].error.message
    assert line.rows("select count(*) from shop__b") == [(2,)]


def test_scd2_keeps_history_and_policies_hide_values(line: Line):
    line.source.run(
        "create table t (id int primary key, email text, v numeric)",
        "insert into t values (1, 'canary@acme.io', 1), (2, null, 1)",
    )
    hidden = plan(**MODES["scd2"], columns={"email": ColumnPolicy.HASH})
    line.run(hidden)
    line.source.run("update t set v = 2 where id = 1")
    assert line.run(hidden)["t"].error is None
    history = "select id, v, _dlt_valid_to is null from shop__t order by id, v"
    assert line.rows(history) == [(1, 1, False), (1, 2, True), (2, 1, True)]
    assert line.rows("select count(*) from shop__t where email like '%@%'") == [(0,)]


def test_scd2_by_cursor_reads_only_what_changed_and_retires_nothing_else(line: Line):
    line.source.run(
        "create table t (id int primary key, at timestamptz not null, v text)",
        "insert into t values (1, '2026-01-01', 'a'), (2, '2026-01-02', 'a')",
    )
    by_cursor = plan(**MODES["scd2"], cursor="at")
    assert line.run(by_cursor)["t"].rows == 2
    line.source.run("update t set v = 'b', at = '2026-02-01' where id = 1")
    assert line.run(by_cursor)["t"].rows == 2  # the changed row, and the one at the boundary
    history = "select id, v, _dlt_valid_to is null from shop__t order by id, v"
    assert line.rows(history) == [(1, "a", False), (1, "b", True), (2, "a", True)]


def test_new_and_widened_columns_are_taken_and_reported(line: Line):
    line.source.run("create table t (id int primary key, n int)", "insert into t values (1, 1)")
    line.run(plan(**MODES["merge"]))
    line.source.run(
        "alter table t alter n type bigint, add extra uuid default gen_random_uuid()",
        "update t set n = 9223372036854775807",
    )
    result = line.run(plan(**MODES["merge"]))["t"]
    assert result.error is None
    assert {(c.column, c.change) for c in result.schema_changes} == {
        ("n", "widened"),
        ("extra", "added"),
    }
    assert line.rows("select n from shop__t") == [(9223372036854775807,)]


def test_mariadb_behind_a_bastion_loads_with_only_the_bastion_open(line: Line):
    key = paramiko.RSAKey.generate(2048)
    text = io.StringIO()
    key.write_private_key(text)
    with mariadb() as server, ssh_server(key) as bastion:
        server.run(
            "create database shop",
            "create table shop.t (id int primary key, v text, at datetime(6) not null)",
            r"insert into shop.t values (1, '', '2026-01-01'), (2, null, '2026-01-01')",
        )
        line.config = SourceConfig(
            connector="sql_database",
            config={
                "dialect": "mariadb",
                "host": "db.internal",
                "port": server.port,
                "database": "shop",
                "username": "root",
                "ssh": {
                    "host": "127.0.0.1",
                    "port": bastion.port,
                    "username": "tunnel",
                    "host_key": bastion.host_key,
                },
            },
            secrets={"password": server.password, "ssh_private_key": text.getvalue()},
            egress=EgressPolicy(allow=(f"127.0.0.1:{bastion.port}",)),
        )
        result = line.run(plan(**MODES["incremental"]))["t"]
        assert (result.error, result.rows) == (None, 2)
        assert line.run(plan(**MODES["incremental"]))["t"].status == "unchanged"
    assert line.rows("select id, v from shop__t order by id") == [(1, ""), (2, None)]


def test_unicode_names_and_keys_load(line: Line):
    line.source.run(
        'create table "Größe 数" ("Schlüssel 数" int primary key, "Wert" text)',
        """insert into "Größe 数" values (1, 'a')""",
    )
    odd = StreamPlan(
        name="Größe 数", table="shop__odd", mode=LoadMode.MERGE, primary_key=("Schlüssel 数",)
    )
    assert line.run(odd)["Größe 数"].error is None
    line.source.run("""update "Größe 数" set "Wert" = 'b'""")
    (result,) = line.run(odd).values()
    assert line.rows("select * from shop__odd")[0][:2] == (1, "b")
    assert result.tables[0].primary_key == ("schlussel_u6570",)
