"""`sql_database` on PostgreSQL: what it offers, which rows it reads, what it refuses and how."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import traceback
from pathlib import Path
from typing import Any

import dlt
import psycopg
import pytest

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.connectors.base import LOAD_ID, PG_TYPE_HINT, ExtractContext
from etlfabric_dagster.connectors.policies import hash_text
from etlfabric_dagster.connectors.sql_database import CONNECTOR, problems
from etlfabric_dagster.errors import ConnectorError, FabricError, InvalidInputError
from etlfabric_dagster.schemas.jobs import EgressPolicy
from etlfabric_dagster.schemas.streams import ColumnPolicy, DiscoveredStream, LoadMode, StreamPlan
from etlfabric_dagster.testing import free_port
from tests.test_connectors.conftest import LOOPBACK, Loader, Source

ORDERS = (
    "create table orders (id int primary key, note text, updated_at timestamptz)",
    "create index on orders (updated_at)",
    "insert into orders select n, 'v1', timestamptz '2026-01-01' + n * interval '1 s'"
    " from generate_series(1, 5) n",
)
BY_UPDATE: dict[str, Any] = {
    "mode": LoadMode.INCREMENTAL,
    "cursor": "updated_at",
    "primary_key": ("id",),
}
LAST = "2026-01-01 00:00:05+00"


def ids(source: Source) -> list[int]:
    return [row[0] for row in source.rows("select id from raw.t order by id")]


def plan(name: str, **fields: Any) -> StreamPlan:
    return StreamPlan(**{"name": name, "table": f"shop__{name}", "mode": LoadMode.FULL, **fields})


def probed(source: Source, loader: Loader, **fields: Any) -> set[str]:
    return CONNECTOR.probe(source.config, [plan("orders", **fields)], loader.context.state)


# --- incremental ---------------------------------------------------------------------------------


def test_only_rows_at_or_past_the_cursor_are_read_again(source: Source, loader: Loader):
    source.run(*ORDERS)
    assert loader.load(source.config, "orders", **BY_UPDATE) == 5
    source.run(
        f"insert into orders values (6, 'same moment', '{LAST}')",
        "update orders set note = 'v2', updated_at = '2026-02-01' where id = 1",
    )
    loader.load(source.config, "orders", **BY_UPDATE)
    assert ids(source) == [1, 5, 6]
    assert loader.context.state["orders"]["cursor"] == "2026-02-01 00:00:00+00"


def test_initial_value_and_lag_open_the_window(source: Source, loader: Loader):
    source.run(*ORDERS)
    loader.load(source.config, "orders", **BY_UPDATE, initial_value="2026-01-01 00:00:04+00")
    assert ids(source) == [4, 5]
    loader.load(source.config, "orders", **BY_UPDATE, lag_s=2)
    assert ids(source) == [3, 4, 5]


def test_lag_of_a_number_cursor_is_exact_near_the_limit_of_int8(source: Source, loader: Loader):
    source.run("create table t (n bigint primary key)")
    source.run("insert into t select 9223372036854775807 - n from generate_series(0, 4) n")
    by_n: dict[str, Any] = {"mode": LoadMode.MERGE, "cursor": "n", "primary_key": ("n",)}
    loader.load(source.config, "t", **by_n)
    assert loader.load(source.config, "t", **by_n, lag_s=2) == 3


def test_full_refresh_forgets_the_cursor(source: Source, loader: Loader):
    source.run(*ORDERS)
    loader.load(source.config, "orders", **BY_UPDATE)
    assert loader.load(source.config, "orders", **BY_UPDATE, full_refresh=True) == 5


def test_microseconds_of_the_cursor_are_kept(source: Source, loader: Loader):
    source.run(*ORDERS, "update orders set updated_at = '2026-03-01 00:00:00.123457' where id = 2")
    loader.load(source.config, "orders", **BY_UPDATE)
    loader.load(source.config, "orders", **BY_UPDATE)
    assert ids(source) == [2]


def test_infinity_never_becomes_the_cursor(source: Source, loader: Loader):
    source.run(*ORDERS, "insert into orders values (9, '', 'infinity')")
    loader.load(source.config, "orders", **BY_UPDATE)
    assert loader.context.state["orders"]["cursor"] == LAST
    loader.load(source.config, "orders", **BY_UPDATE)
    assert ids(source) == [5, 9]


@pytest.mark.parametrize(
    ("pg_type", "first", "second"),
    [
        ("bigint", "9223372036854775806", "9223372036854775807"),
        ("numeric(38,10)", "1234567890123456789012345678.0000000001", "2e27"),
        ("date", "2026-01-01", "2026-01-02"),
        ("timestamp", "2026-01-01 10:00:00.000001", "2026-01-01 10:00:00.000002"),
        ("text", "a", "b"),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("double precision", "0.1", "0.30000000000000004"),
    ],
)
def test_cursor_of_any_ordered_type_is_exact(
    source: Source, loader: Loader, pg_type: str, first: str, second: str
):
    source.run(f"create table t (id int primary key, c {pg_type} not null)")
    source.run(f"insert into t values (1, '{first}')")
    by_c: dict[str, Any] = {"mode": LoadMode.INCREMENTAL, "cursor": "c", "primary_key": ("id",)}
    assert loader.load(source.config, "t", **by_c) == 1
    source.run(f"insert into t values (2, '{second}')")
    if pg_type.startswith("numeric"):
        source.run("update t set c = 2e27 - 1 where id = 2", "update t set c = c + 1 where id = 2")
        source.run("update t set c = 1234567890123456789012345678.0000000002 where id = 2")
    assert loader.load(source.config, "t", **by_c) == 2
    assert loader.load(source.config, "t", **by_c) == 1


def test_append_without_key_neither_loses_nor_repeats_rows_at_the_boundary(
    source: Source, loader: Loader
):
    source.run(
        "create table events (at date not null, what text)",
        "insert into events values ('2026-01-01', 'a'), ('2026-01-02', 'b'), ('2026-01-02', null)",
    )
    append: dict[str, Any] = {"mode": LoadMode.APPEND, "cursor": "at"}
    assert loader.load(source.config, "events", **append) == 3
    assert loader.load(source.config, "events", **append) == 0
    source.run("insert into events values ('2026-01-02', 'late'), ('2026-01-03', 'next')")
    loader.load(source.config, "events", **append)
    assert source.rows("select what from raw.t order by 1") == [("late",), ("next",)]
    source.run("alter table events add extra int", "insert into events values ('2026-01-03', 'x')")
    loader.load(source.config, "events", **append)
    assert source.rows("select what from raw.t") == [("x",)]


def test_too_many_keyless_rows_at_one_cursor_value_are_refused(source: Source, loader: Loader):
    source.run(
        "create table events (at date not null, n int)",
        "insert into events select '2026-01-01', n from generate_series(1, 10001) n",
    )
    with pytest.raises(ConnectorError) as caught:
        loader.load(source.config, "events", mode=LoadMode.APPEND, cursor="at")
    assert caught.value.code == "cursor_coarse"
    keyed: dict[str, Any] = {"mode": LoadMode.MERGE, "cursor": "at", "primary_key": ("n",)}
    assert loader.load(source.config, "events", **keyed) == 10001


def test_empty_table_still_gives_a_header_and_no_cursor(source: Source, loader: Loader):
    source.run("create table orders (id int primary key, updated_at timestamptz)")
    assert loader.load(source.config, "orders", **BY_UPDATE) == 0
    assert loader.context.state == {}
    assert source.rows("select count(*) from raw.t") == [(0,)]


def test_no_new_row_keeps_the_cursor(source: Source, loader: Loader):
    source.run(*ORDERS)
    loader.load(source.config, "orders", **BY_UPDATE)
    before = dict(loader.context.state)
    source.run("delete from orders")
    assert loader.load(source.config, "orders", **BY_UPDATE) == 0
    assert loader.context.state == before


# --- probe ---------------------------------------------------------------------------------------


def test_probe_names_only_streams_with_something_new(source: Source, loader: Loader):
    source.run(*ORDERS)
    assert probed(source, loader, **BY_UPDATE) == {"orders"}
    loader.load(source.config, "orders", **BY_UPDATE)
    assert probed(source, loader, **BY_UPDATE) == set()


@pytest.mark.parametrize(
    "change",
    [
        f"insert into orders values (6, 'same moment', '{LAST}')",
        "update orders set note = 'same moment' where id = 5",
        "insert into orders values (7, 'later', '2027-01-01')",
        "alter table orders add column extra int",
    ],
)
def test_probe_sees(source: Source, loader: Loader, change: str):
    source.run(*ORDERS)
    loader.load(source.config, "orders", **BY_UPDATE)
    source.run(change)
    assert probed(source, loader, **BY_UPDATE) == {"orders"}


def test_probe_of_a_source_that_is_down_names_every_stream(source: Source, loader: Loader):
    source.run(*ORDERS)
    loader.load(source.config, "orders", **BY_UPDATE)
    down = source.with_config(port=free_port())
    streams = [plan("orders", **BY_UPDATE)]
    assert CONNECTOR.probe(down, streams, loader.context.state) == {"orders"}


# --- refusals ------------------------------------------------------------------------------------


def refusal(loader: Loader, source: Source, name: str, **fields: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        loader.load(source.config, name, **fields)
    assert caught.value.where["stream"] == name
    assert caught.value.remedy
    return caught.value


def test_cursor_with_nulls_is_refused_with_their_number(source: Source, loader: Loader):
    source.run(*ORDERS, "insert into orders values (6, '', null), (7, '', null)")
    error = refusal(loader, source, "orders", **BY_UPDATE)
    assert error.message == (
        "2 rows of orders have no updated_at, so Incremental would miss them. "
        "Nothing of orders was loaded."
    )


def test_columns_that_collapse_are_refused_until_one_is_dropped(source: Source, loader: Loader):
    source.run('create table customers ("userName" text, user_name text)')
    error = refusal(loader, source, "customers")
    assert error.message == (
        "customers has userName and user_name; both become user_name. The stream was not loaded."
    )
    loader.load(source.config, "customers", columns={"userName": ColumnPolicy.DROP})


def test_more_columns_than_a_table_can_have_are_refused(source: Source, loader: Loader):
    source.run("create table wide ({})".format(", ".join(f"c{at} int" for at in range(1600))))
    error = refusal(loader, source, "wide")
    assert error.message.startswith("wide has 1,600 columns; a table in Postgres can take 1,590")
    dropped = {f"c{at}": ColumnPolicy.DROP for at in range(10)}
    assert loader.load(source.config, "wide", columns=dropped) == 0


def test_vanished_stream_column_or_key_is_named(source: Source, loader: Loader):
    source.run(*ORDERS)
    assert "gone is no longer in" in refusal(loader, source, "gone").message
    by_gone = {**BY_UPDATE, "cursor": "gone"}
    assert "its cursor" in refusal(loader, source, "orders", **by_gone).message
    keyed = {**BY_UPDATE, "primary_key": ("gone",)}
    assert "its primary key" in refusal(loader, source, "orders", **keyed).message


def test_initial_value_of_another_type_is_refused(source: Source, loader: Loader):
    source.run(*ORDERS)
    error = refusal(loader, source, "orders", **BY_UPDATE, initial_value="yesterday-ish")
    assert error.code == "cursor_type"


def test_column_the_pipeline_does_not_take_is_not_read(source: Source, loader: Loader):
    source.run(*ORDERS)
    loader.context.accept = lambda stream, columns: set(columns) - {"note"}
    loader.load(source.config, "orders")
    columns = source.rows("select * from information_schema.columns where table_schema = 'raw'")
    assert {row[3] for row in columns} == {"id", "updated_at", LOAD_ID}


def test_columns_of_an_earlier_loader_are_left_out_and_said(source: Source, loader: Loader):
    source.run("create table t (id int, _dlt_id text, _dlt_load_id text)")
    loader.load(source.config, "t")
    assert len(loader.warnings) == 2


def test_a_read_that_breaks_in_the_middle_leaves_nothing_to_load(source: Source, loader: Loader):
    source.run("create view v as select 1 / (30000 - n) as x from generate_series(1, 40000) n")
    error = refusal(loader, source, "v")
    assert error.message == (
        "Reading v from 127.0.0.1 failed: division by zero. Nothing of it was loaded."
    )
    assert loader.context.state == {}


def test_a_latin1_database_arrives_as_utf8(source: Source, loader: Loader):
    name = source.config.config["database"] + "_l1"
    source.run(f"create database {name} encoding 'LATIN1' locale 'C' template template0")
    try:
        latin = dataclasses.replace(
            source, dsn=source.dsn.rsplit("dbname=", 1)[0] + f"dbname={name}"
        )
        latin.run("create table t (v text, h text)", "insert into t values ('é', 'é')")
        config = source.with_config(database=name)
        loader.load(config, "t", columns={"h": ColumnPolicy.HASH})
        assert source.rows("select v, h from raw.t") == [("é", hash_text("org-key", "é"))]
    finally:
        source.run(f"drop database {name} with (force)")


# --- dlt -----------------------------------------------------------------------------------------


def test_dlt_takes_the_files_with_exact_hints_and_counts(source: Source, tmp_path: Path):
    source.run(*ORDERS, "create table empty (a numeric(38,10))")
    context = ExtractContext(str(tmp_path))
    streams = [plan("orders", **BY_UPDATE), plan("empty")]
    resources = CONNECTOR.resources(source.config, streams, context)
    assert [resource.name for resource in resources] == ["shop__orders", "shop__empty"]
    resources[0].apply_hints(write_disposition="merge")
    pipeline = dlt.pipeline(
        "p", pipelines_dir=str(tmp_path / "dlt"), destination="postgres", dataset_name="raw"
    )
    extracted = pipeline.extract(list(resources), loader_file_format="csv")
    counted = [m["table_metrics"] for m in extracted.metrics[extracted.loads_ids[0]]]
    assert [m["shop__orders"].items_count for m in counted if "shop__orders" in m] == [5]
    pipeline.normalize()
    table = pipeline.default_schema.tables["shop__orders"]
    assert table["write_disposition"] == "merge"
    assert table["columns"]["updated_at"][PG_TYPE_HINT] == "timestamp with time zone"
    assert table["columns"]["id"]["primary_key"]
    empty = pipeline.default_schema.tables["shop__empty"]["columns"]
    assert list(empty) == ["a", LOAD_ID]
    (load_id,) = pipeline.list_normalized_load_packages()
    jobs = pipeline.get_load_package_info(load_id).jobs["new_jobs"]
    csv = [job for job in jobs if job.file_path.endswith(".csv")]
    files = {job.job_file_info.table_name: Path(job.file_path).read_text() for job in csv}
    assert files["shop__empty"] == f'"a","{LOAD_ID}"\n'
    assert files["shop__orders"].count(load_id) == 5
    assert context.state["orders"]["cursor"] == LAST


def test_nothing_is_dialled_before_a_resource_is_read(source: Source, tmp_path: Path):
    down = source.with_config(port=free_port())
    assert CONNECTOR.resources(down, [plan("orders")], ExtractContext(str(tmp_path)))


# --- discover ------------------------------------------------------------------------------------


def discovered(source: Source) -> dict[str, DiscoveredStream]:
    return {stream.name: stream for stream in CONNECTOR.discover(source.config)}


def test_discovery_finds_types_keys_cursors_and_estimates(source: Source):
    source.run(
        "create table items (order_id int, line int, sku text not null, created_at date not null,"
        " updated_at timestamp not null, primary key (order_id, line))",
        "create index on items (created_at)",
        "insert into items select 1, n, 'x', '2026-01-01', '2026-01-01'"
        " from generate_series(1, 50) n",
        "analyze items",
        "create view cheap as select * from items",
    )
    streams = discovered(source)
    items = streams["items"]
    assert [(c.name, c.type, c.nullable) for c in items.columns] == [
        ("order_id", "integer", False),
        ("line", "integer", False),
        ("sku", "text", False),
        ("created_at", "date", False),
        ("updated_at", "timestamp without time zone", False),
    ]
    assert items.primary_key == ("order_id", "line")
    assert items.cursor_candidates == ("updated_at", "created_at")
    assert items.update_cursor == "updated_at"
    assert items.row_estimate == 50
    assert streams["cheap"].row_estimate is None


def test_cursor_candidate_never_has_nulls(source: Source):
    source.run(*ORDERS, "alter table orders add deleted_at timestamptz")
    assert discovered(source)["orders"].cursor_candidates == ("updated_at", "id")


def test_cursor_that_misses_updates_is_a_candidate_and_no_more(source: Source):
    source.run("create table logins (id int primary key, last_login_at timestamptz not null)")
    logins = discovered(source)["logins"]
    assert (logins.cursor_candidates, logins.update_cursor) == (("last_login_at", "id"), None)


def test_hostile_names_are_discovered_as_they_are(source: Source):
    names = ['we"ird', "SELECT", "数量", "Tab le", "x" * 63, "a%sb", "'; drop table x; --"]
    for name in names:
        quoted = name.replace('"', '""').replace("%", "%%") if "%" in name else None
        quoted = name.replace('"', '""')
        source.run(f'create table "{quoted}" ("{quoted}" int)')
    streams = discovered(source)
    assert set(streams) == set(names)
    assert all(stream.columns[0].name == name for name, stream in streams.items())


def test_partitions_are_part_of_their_table(source: Source):
    source.run(
        "create table logs (at date not null) partition by range (at)",
        "create table logs_2026 partition of logs for values from ('2026-01-01') to ('2027-01-01')",
        "create materialized view m as select 1 as one",
    )
    assert set(discovered(source)) == {"logs", "m"}


# --- check ---------------------------------------------------------------------------------------


def test_good_connection_passes_and_tells_its_steps(source: Source):
    source.run(*ORDERS)
    result = CONNECTOR.check(source.config)
    assert result.ok
    assert (result.cause, result.remedy) == ("", "")
    names = [step.name for step in result.steps]
    assert names == ["name", "address", "reach", "tls", "login", "schema", "permission"]


@pytest.mark.parametrize(
    ("config", "step", "cause"),
    [
        ({"host": "db.acme.invalid"}, "name", "No address found for db.acme.invalid."),
        ({"database": "nope"}, "database", "127.0.0.1 has no database “nope”"),
        ({"username": "nobody"}, "login", "127.0.0.1 refused the login of “nobody”."),
        ({"schema": "nope"}, "schema", "has no schema “nope”"),
        ({"tls": "require"}, "tls", "does not speak TLS, and this connection requires it."),
        ({"ca": "-----BEGIN CERTIFICATE-----"}, "tls", "is not a PEM certificate"),
        ({"port": 1}, "reach", "127.0.0.1:1 refused the connection."),
        ({"dialekt": "x"}, "config", "has no option “dialekt”"),
    ],
)
def test_check_names_the_step_the_cause_and_a_remedy(
    source: Source, config: dict[str, Any], step: str, cause: str
):
    result = CONNECTOR.check(source.with_config(**config))
    assert not result.ok
    assert cause in result.cause
    assert result.remedy
    assert result.steps[-1].name == step
    assert all(earlier.ok for earlier in result.steps[:-1])


def test_wrong_password_is_told_and_never_shown(source: Source):
    result = CONNECTOR.check(source.with_secrets(password="canary-password"))
    assert result.cause == (
        "127.0.0.1 refused the login of “postgres”. "
        "The password is wrong or the user does not exist."
    )
    assert "canary" not in result.model_dump_json()


def test_silent_address_is_told_from_one_that_refuses(
    source: Source, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(problems, "DIAL_TIMEOUT_S", 0.3)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = full.getsockname()
        for _ in range(4):  # nobody accepts: the queue fills, then packets are dropped
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(address)
        result = CONNECTOR.check(source.with_config(port=address[1]))
    assert result.steps[-1].name == "reach"
    assert "did not answer in 0.3 s. A firewall probably drops the connection." in result.cause


def test_server_of_another_product_is_told_within_seconds(
    source: Source, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(problems, "DIAL_TIMEOUT_S", 1)
    result = CONNECTOR.check(source.with_config(dialect="mysql"))
    assert "ended the connection" in result.cause
    assert result.remedy == "Check that the host and port are MySQL's."


CANARY = "canary-Zq81"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"host": "db.acme.invalid"},
        {"port": 1},
        {"database": "nope"},
        {"username": "nobody"},
        {"tls": "require"},
        {"dialect": "mysql"},
        {"dialect": "mssql"},
        {"dialect": "oracle"},
        {"ssh": {"host": "127.0.0.1", "port": 1, "username": "u"}},
        {"unknown": 1},
    ],
)
def test_no_failure_shows_a_secret(
    source: Source, tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(problems, "DIAL_TIMEOUT_S", 1)
    bad = source.with_config(**config)
    secrets = {"password": CANARY, "ssh_private_key": CANARY}
    bad = bad.model_copy(update={"secrets": secrets})
    texts = [CONNECTOR.check(bad).model_dump_json(), repr(bad)]
    for attempt in (
        lambda: list(CONNECTOR.discover(bad)),
        lambda: Loader(source.dsn, str(tmp_path)).load(bad, "t"),
    ):
        with pytest.raises(FabricError) as caught:
            attempt()
        texts.append("".join(traceback.format_exception(caught.value)))
    assert [text for text in texts if CANARY in text] == []


def test_closed_address_is_refused_before_the_dial(source: Source):
    closed = source.config.model_copy(update={"egress": EgressPolicy()})
    result = CONNECTOR.check(closed)
    assert result.cause.startswith("127.0.0.1 is a private address")
    assert result.code == "egress_denied"
    assert [step.name for step in result.steps] == ["address"]


def test_the_platforms_own_database_is_no_source(source: Source):
    port = source.config.config["port"]
    own = LOOPBACK.model_copy(update={"deny": (f"127.0.0.1:{port}",)})
    for host in ("127.0.0.1", "localhost", "127.1"):
        config = source.with_config(host=host).model_copy(update={"egress": own})
        assert "belongs to this install" in CONNECTOR.check(config).cause


@pytest.mark.parametrize(
    "option",
    [
        {"host": "/var/run/postgresql"},
        {"host": "127.0.0.1,10.0.0.1"},
        {"host": "@socket"},
        {"service": "x"},
        {"hostaddr": "10.0.0.1"},
        {"passfile": "/etc/passwd"},
        {"options": "-c x=y"},
        {"sslkey": "/etc/ssl/key"},
        {"dialect": "sqlite"},
        {"database": "", "host": "h"},
    ],
)
def test_options_that_lead_to_this_machine_are_refused(source: Source, option: dict[str, str]):
    result = CONNECTOR.check(source.with_config(**option))
    assert not result.ok
    assert result.code in ("invalid_input", "host_unknown")


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\ud800", "\x7f"])
@pytest.mark.parametrize("field", ["host", "database", "username", "schema", "password"])
def test_characters_no_server_takes_are_refused_by_field(source: Source, field: str, text: str):
    secret = field == "password"
    broken = source.with_secrets(password=text) if secret else source.with_config(**{field: text})
    result = CONNECTOR.check(broken)
    assert (result.ok, result.code) == (False, "invalid_input")
    assert f"“{'secrets.' if secret else ''}{field}”" in result.cause


def test_connection_string_in_the_database_name_is_only_a_name(source: Source):
    hidden = "postgres host=10.0.0.1 service=x"
    assert (
        "has no database “postgres host="
        in CONNECTOR.check(source.with_config(database=hidden)).cause
    )


@pytest.fixture
def reader(source: Source) -> Source:
    """The same source, read by a login of its own."""
    role = source.config.config["database"] + "_r"
    source.run(
        *ORDERS,
        "create table payroll (id int)",
        "create table hr (id int, name text)",
        f"create role {role} login password 'pw'",
        f"grant select on orders to {role}",
    )
    config = source.config.config | {"username": role}
    yield Source(
        source.dsn,
        source.config.model_copy(update={"config": config, "secrets": {"password": "pw"}}),
    )
    with psycopg.connect(source.dsn, autocommit=True) as admin:
        admin.execute(f"drop owned by {role}")
        admin.execute(f"drop role {role}")


def test_tables_that_may_not_be_read_are_named(reader: Source, loader: Loader):
    role = reader.config.config["username"]
    result = CONNECTOR.check(reader.config)
    assert result.ok
    assert result.cause == (f"“{role}” may not read 2 of 3 tables: public.hr, public.payroll.")
    assert set(discovered(reader)) == {"orders"}
    reader.run(f"revoke select on orders from {role}")
    assert not CONNECTOR.check(reader.config).ok
    error = refusal(loader, reader, "orders")
    assert error.message == f"“{role}” may not read 1 of 3 tables: public.orders."


def test_column_grants_show_just_those_columns(reader: Source, loader: Loader):
    reader.run(f"grant select (name) on hr to {reader.config.config['username']}")
    assert [c.name for c in discovered(reader)["hr"].columns] == ["name"]
    assert loader.load(reader.config, "hr") == 0


# --- forms ---------------------------------------------------------------------------------------


def test_spec_is_a_form():
    spec = registry.get("sql_database").spec
    fields = spec.config_schema["properties"] | spec.secrets_schema["properties"]
    assert all(f["title"] and "description" in f and f["order"] for f in fields.values())
    assert all(f["format"] == "password" for f in spec.secrets_schema["properties"].values())


def test_missing_secret_is_named(source: Source):
    bare = source.config.model_copy(update={"secrets": {}})
    with pytest.raises(InvalidInputError, match="“password”"):
        list(CONNECTOR.discover(bare))
    tunnel = source.with_config(ssh={"host": "127.0.0.1", "username": "u"})
    assert "“ssh_private_key”" in CONNECTOR.check(tunnel).remedy


def test_a_few_values_are_shown_before_anything_is_loaded(source: Source):
    source.run(*ORDERS, "update orders set note = null where id = 1")

    values = CONNECTOR.sample(source.config, "orders")
    assert {name: len(found) for name, found in values.items()} == dict.fromkeys(values, 3)
    assert set(values["id"]) <= set("12345")
    assert set(values["note"]) <= {"v1", None}
    with pytest.raises(ConnectorError, match="no longer"):
        CONNECTOR.sample(source.config, "gone")
