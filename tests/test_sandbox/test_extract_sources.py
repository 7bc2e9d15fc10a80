"""The real connectors through the real sandbox into a tenant's schemas: what arrives is exact."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etlfabric_dagster.connectors.filesystem.config import MODIFIED_AT
from etlfabric_dagster.sandbox import catalog
from etlfabric_dagster.schemas.jobs import (
    DoneEvent,
    EgressPolicy,
    ExtractJob,
    Limits,
    SourceConfig,
    StreamEvent,
    Warehouse,
)
from etlfabric_dagster.schemas.runs import StreamResult
from etlfabric_dagster.schemas.streams import ColumnPolicy, LoadMode, StreamPlan
from etlfabric_dagster.testing import SandboxServer
from tests.http_api import Api, http_api
from tests.s3 import S3Server, s3_server


class Runs:
    """One pipeline of one org, run again and again."""

    def __init__(self, sandbox: SandboxServer, warehouse: Warehouse) -> None:
        self._sandbox, self._warehouse = sandbox, warehouse
        self._state: str | None = None
        self.conn = catalog.connect(warehouse)

    def run(self, connector: str, config: dict[str, Any], *plans: StreamPlan, **source: Any) -> Any:
        """Load; each stream's result."""
        job = ExtractJob(
            pipeline="p_sources",
            source=SourceConfig(
                connector=connector,
                config=config,
                egress=EgressPolicy(allow=("127.0.0.0/8",)),
                **source,
            ),
            warehouse=self._warehouse,
            streams=plans,
            state=self._state,
            limits=Limits(wall_s=120),
        )
        results: dict[str, StreamResult] = {}
        for event in self._sandbox.client.call(job):
            if isinstance(event, StreamEvent):
                results[event.name] = event.result
                print(event.name, event.result.error, event.result.warnings)
            if isinstance(event, DoneEvent):
                self._state = event.payload["state"]
        return results

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the raw schema, as the tenant."""
        self.conn.execute(f"SET search_path = {self._warehouse.raw}")
        return self.conn.execute(query).fetchall()

    def types(self, table: str) -> dict[str, str]:
        """Columns of a raw table, dlt's own apart."""
        found = catalog.read_tables(self.conn, self._warehouse.raw, [table]).get(table, {})
        return {name: kind for name, kind in found.items() if not name.startswith("_dlt_")}


@pytest.fixture
def runs(sandbox: SandboxServer, warehouse: Warehouse) -> Iterator[Runs]:
    made = Runs(sandbox, warehouse)
    yield made
    made.conn.close()


@pytest.fixture
def api() -> Iterator[Api]:
    with http_api() as running:
        yield running


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def plan(name: str = "orders", **fields: Any) -> StreamPlan:
    return StreamPlan(**{"name": name, "table": f"s__{name}", "mode": LoadMode.FULL, **fields})


class Uploads:
    """A folder of uploads and a connection that reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = {"uploads": f"file://{folder}"}

    def put(self, name: str, body: str | bytes) -> None:
        (self.folder / name).write_bytes(body.encode() if isinstance(body, str) else body)

    @staticmethod
    def config(format: str = "csv", **stream: Any) -> dict[str, Any]:
        found = {"name": "orders", "glob": f"*.{format}", "format": format, **stream}
        return {"bucket_url": "uploads://", "streams": [found]}


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    tmp_path.chmod(0o755)
    return Uploads(tmp_path)


def test_csv_arrives_typed_and_exact(runs: Runs, uploads: Uploads) -> None:
    uploads.put(
        "a.csv",
        "id,Zip,price,paid,day,at,atz,note,nothing\n"
        "9223372036854775807,00123,12345678901234567890.0123456789,true,2026-11-22,"
        '2026-11-22 14:05,2026-11-22T14:05:06+02:00,"a ""q"",\n\\N\t😀",\n'
        '-1,,0.10,FALSE,0001-01-01,2026-11-22T00:00:00.123456,2026-11-22T00:00:00Z,"",\n',
    )
    result = runs.run("filesystem", uploads.config(), plan(), **uploads.source)["orders"]
    assert (result.status, result.rows, result.warnings) == ("succeeded", 2, ())
    assert runs.types("s__orders") == {
        "id": "bigint", "zip": "text", "price": "numeric", "paid": "boolean", "day": "date",
        "at": "timestamp without time zone", "atz": "timestamp with time zone", "note": "text",
        "nothing": "text",
    }  # fmt: skip
    first, second = runs.rows(
        "select id, zip, price, paid, day, at::text, atz, note, nothing from s__orders"
        " order by id desc"
    )
    assert first == (
        2**63 - 1, "00123", Decimal("12345678901234567890.0123456789"), True, date(2026, 11, 22),
        "2026-11-22 14:05:00", datetime(2026, 11, 22, 12, 5, 6, tzinfo=UTC),
        'a "q",\n\\N\t😀', None,
    )  # fmt: skip
    assert second[1:4] == (None, Decimal("0.10"), False)
    assert second[7:] == ("", None)


def test_hostile_column_names_arrive(runs: Runs, uploads: Uploads) -> None:
    names = ["select", 'a"; DROP TABLE x; --', "it's", "x" * 300, "x" * 299 + "y", "Größe",
             "数", "量", "a b", "%s", "{0}", "\\", "😀", "_dlt_id", "_dlt_load_id", "1st",
             ""]  # fmt: skip
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    uploads.put("a.csv", header + "\n" + ",".join(f"v{n}" for n in range(len(names))) + "\n")
    result = runs.run("filesystem", uploads.config(), plan(), **uploads.source)["orders"]
    assert result.status == "succeeded"
    assert len(result.warnings) == 2
    columns = runs.types("s__orders")
    assert len(columns) == len(names) - 2
    quoted = ", ".join(f'"{name}"' for name in columns)
    (row,) = runs.rows(f"select {quoted} from s__orders")
    assert set(row) == {f"v{n}" for n in range(len(names)) if not names[n].startswith("_dlt")}


def test_csv_follows_its_files_and_widens_its_types(runs: Runs, uploads: Uploads) -> None:
    merge = plan(mode=LoadMode.INCREMENTAL, cursor=MODIFIED_AT, primary_key=("id",))
    uploads.put("a.csv", "id,n\n1,5\n2,6\n")
    assert runs.run("filesystem", uploads.config(), merge, **uploads.source)["orders"].rows == 2
    again = runs.run("filesystem", uploads.config(), merge, **uploads.source)["orders"]
    assert again.status == "unchanged"
    uploads.put("b.csv", "id,n\n2,6.5\n3,7\n")
    changed = runs.run("filesystem", uploads.config(), merge, **uploads.source)["orders"]
    assert changed.rows == 2
    assert runs.rows("select id, n, _file_name from s__orders order by id") == [
        (1, Decimal(5), "a.csv"),
        (2, Decimal("6.5"), "b.csv"),
        (3, Decimal(7), "b.csv"),
    ]
    assert [(c.column, c.change) for c in changed.schema_changes] == [("n", "widened")]


def test_a_bad_line_leaves_everything_as_it_was_and_the_next_run_goes_on(
    runs: Runs, uploads: Uploads
) -> None:
    append = plan(mode=LoadMode.APPEND, cursor=MODIFIED_AT)
    uploads.put("a.csv", "id,n\n1,5\n")
    runs.run("filesystem", uploads.config(), append, **uploads.source)
    uploads.put("b.csv", "id,n\n2,6\n")
    uploads.put("c.csv", "id,n\n3,6\n4\n")
    failed = runs.run("filesystem", uploads.config(), append, **uploads.source)["orders"]
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message == (
        "c.csv, line 3 has 1 value; the header has 2. No row of this file was loaded."
    )
    assert failed.error.where["line"] == 3
    assert runs.rows("select id from s__orders") == [(1,)]
    uploads.put("c.csv", "id,n\n3,6\n4,7\n")
    assert runs.run("filesystem", uploads.config(), append, **uploads.source)["orders"].rows == 3
    assert runs.rows("select id from s__orders order by id") == [(1,), (2,), (3,), (4,)]


def test_one_broken_stream_stops_no_other(runs: Runs, uploads: Uploads) -> None:
    uploads.put("a.csv", "id\n1\n")
    uploads.put("bad.txt", "a,b\n1\n")
    config = uploads.config()
    config["streams"].append({"name": "bad", "glob": "bad.txt", "format": "csv"})
    results = runs.run("filesystem", config, plan("bad"), plan(), **uploads.source)
    assert [(n, r.status) for n, r in results.items()] == [
        ("bad", "failed"), ("orders", "succeeded")]  # fmt: skip


def test_history_of_csv_rows(runs: Runs, uploads: Uploads) -> None:
    scd2 = plan(mode=LoadMode.SCD2)
    uploads.put("a.csv", "id,n\n1,5\n2,6\n")
    runs.run("filesystem", uploads.config(), scd2, **uploads.source)
    uploads.put("a.csv", "id,n\n1,5\n2,7\n")
    runs.run("filesystem", uploads.config(), scd2, **uploads.source)
    assert runs.rows("select id, n, _dlt_valid_to is null from s__orders order by id, n") == [
        (1, 5, True),
        (2, 6, False),
        (2, 7, True),
    ]


def test_policies_are_applied_to_files(runs: Runs, uploads: Uploads) -> None:
    uploads.put("a.csv", "id,email,phone,name,Pin\n1,a@b.c,1,x,42\n")
    policies = {
        "Pin": ColumnPolicy.HASH,
        "email": ColumnPolicy.HASH,
        "phone": ColumnPolicy.DROP,
        "name": ColumnPolicy.MASK,
    }
    runs.run("filesystem", uploads.config(), plan(columns=policies), **uploads.source)
    assert set(runs.types("s__orders")) == {"id", "email", "name", "pin"}
    ((email, name, pin),) = runs.rows("select email, name, pin from s__orders")
    assert (len(email), len(pin)) == (64, 64)
    assert name == "***"


def test_parquet_from_s3_arrives_exact(runs: Runs, s3: S3Server) -> None:
    at = datetime.fromisoformat("2026-11-22T14:05:06.123456")
    sink = io.BytesIO()
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "big": pa.array([2**64 - 1, None], pa.uint64()),
            "price": pa.array([Decimal("1.0000000001"), None], pa.decimal128(38, 10)),
            "naive": pa.array([at, None], pa.timestamp("us")),
            "aware": pa.array([at, None], pa.timestamp("us", "UTC")),
            "raw": pa.array([b"\x00\xff", None]),
            "tags": pa.array([["a", None], None]),
            "text": pa.array(["", None]),
            "ratio": pa.array([float("nan"), float("inf")]),
        }
    )
    pq.write_table(table, sink)
    s3.put("e2e/a.parquet", sink.getvalue())
    config = {
        "bucket_url": f"s3://{s3.bucket}/e2e",
        "endpoint_url": s3.endpoint_url,
        "streams": [{"name": "orders", "glob": "*.parquet", "format": "parquet"}],
    }
    secrets = {"aws_access_key_id": s3.key, "aws_secret_access_key": s3.secret}
    result = runs.run("filesystem", config, plan(), secrets=secrets)["orders"]
    assert (result.rows, result.warnings) == (2, ())
    assert runs.types("s__orders") == {
        "id": "integer", "big": "numeric", "price": "numeric(38,10)",
        "naive": "timestamp without time zone", "aware": "timestamp with time zone",
        "raw": "bytea", "tags": "jsonb", "text": "text", "ratio": "double precision",
    }  # fmt: skip
    first, second = runs.rows(
        "select big, price, naive::text, aware, raw, tags, text, ratio::text from s__orders"
        " order by id"
    )
    assert first == (
        Decimal(2**64 - 1), Decimal("1.0000000001"), "2026-11-22 14:05:06.123456",
        at.replace(tzinfo=UTC), b"\x00\xff", ["a", None], "", "NaN",
    )  # fmt: skip
    assert second == (None,) * 7 + ("Infinity",)


def test_jsonl_arrives_with_its_children(runs: Runs, uploads: Uploads) -> None:
    lines = [{"id": 1, "user": {"Name": "x"}, "lines": [{"sku": "a"}, {"sku": "b"}]}, {"id": 2}]
    uploads.put("a.jsonl", "\n".join(map(json.dumps, lines)))
    result = runs.run("filesystem", uploads.config("jsonl"), plan(), **uploads.source)["orders"]
    assert result.status == "succeeded"
    assert runs.rows("select id, user__name from s__orders order by id") == [(1, "x"), (2, None)]
    assert runs.rows("select sku from s__orders__lines order by 1") == [("a",), ("b",)]


def test_an_api_arrives_and_reads_on(runs: Runs, api: Api) -> None:
    rows = [{"id": 1, "updatedAt": "2026-01-01T00:00:00Z", "tags": ["x"]}]
    api.serve("/orders", lambda _: rows)
    config = {"client": {"base_url": api.url, "paginator": "single_page"}, "resources": ["orders"]}
    merge = plan(mode=LoadMode.MERGE, cursor="updated_at", primary_key=("id",))
    assert runs.run("rest_api", config, merge)["orders"].rows == 1
    rows[0]["tags"] = ["x", "y"]
    rows.append({"id": 2, "updatedAt": "2026-01-01T00:00:00Z", "tags": []})
    rows.append({"id": 3, "updatedAt": "2025-01-01T00:00:00Z", "tags": []})
    assert runs.run("rest_api", config, merge)["orders"].rows == 2
    assert runs.rows("select id from s__orders order by id") == [(1,), (2,)]
    assert runs.rows("select value from s__orders__tags order by 1") == [("x",), ("y",)]


def test_key_in_an_object_merges_and_its_children_follow(runs: Runs, api: Api) -> None:
    rows: list[dict[str, Any]] = [
        {"user": {"Id": n, "email": f"{n}@x.example", "phone": "1"}, "tags": ["a", "b"]}
        for n in (1, 2)
    ]
    api.serve("/orders", lambda _: rows)
    config = {"client": {"base_url": api.url, "paginator": "single_page"}, "resources": ["orders"]}
    columns = {"user__email": ColumnPolicy.HASH, "user__phone": ColumnPolicy.DROP}
    merge = plan(mode=LoadMode.MERGE, primary_key=("user__id",), columns=columns)
    runs.run("rest_api", config, merge)
    rows[1]["tags"] = ["c"]

    result = runs.run("rest_api", config, merge)["orders"]

    assert [table.primary_key for table in result.tables] == [("user__id",), ()]
    assert runs.rows(
        "select user__id, value from s__orders o join s__orders__tags t"
        " on t._dlt_parent_id = o._dlt_id order by 1, 2"
    ) == [(1, "a"), (1, "b"), (2, "c")]
    assert "user__phone" not in runs.types("s__orders")
    ((emails,),) = runs.rows("select string_agg(user__email, '') from s__orders")
    assert emails
    assert "x.example" not in emails


def test_an_api_that_breaks_in_mid_pagination_loads_nothing(runs: Runs, api: Api) -> None:
    api.pages("/orders", [{"id": 1}], [{"id": 2}], [])
    paginator = {"type": "page_number", "base_page": 1, "total_path": None}
    config = {"client": {"base_url": api.url, "paginator": paginator}, "resources": ["orders"]}
    runs.run("rest_api", config, plan())
    api.pages("/orders", [{"id": 3}], {"id": 2**70}, [])
    failed = runs.run("rest_api", config, plan())["orders"]
    assert failed.error is not None
    assert failed.error.code == "number_too_large"
    assert "Page 2, record 1 of orders: id is" in failed.error.message.replace(" of orders,", ",")
    assert runs.rows("select id from s__orders order by id") == [(1,), (2,)]


def test_a_private_address_stays_closed_in_the_sandbox(runs: Runs, api: Api) -> None:
    api.serve("/orders", lambda _: [{"id": 1}])
    config = {
        "client": {"base_url": api.url.replace("127.0.0.1", "10.1.2.3")},
        "resources": ["orders"],
    }
    failed = runs.run("rest_api", config, plan())["orders"]
    assert failed.error is not None
    assert failed.error.code == "egress_denied"


@pytest.mark.parametrize("function", ["events", "plain"])
def test_an_operators_python_source_is_read_in_full_each_time(runs: Runs, function: str) -> None:
    config = {"source": f"tests.test_connectors.dlt_sources:{function}"}
    for _ in range(2):
        assert runs.run("python", config, plan(function))[function].rows == 2
        assert runs.rows(f"select id from s__{function} order by 1") == [(1,), (2,)]


def test_an_operators_python_source_reads_on_from_its_cursor(runs: Runs) -> None:
    config = {"source": "tests.test_connectors.dlt_sources:events"}
    append = plan("events", mode=LoadMode.APPEND, cursor="at")
    assert runs.run("python", config, append)["events"].rows == 2
    assert runs.run("python", config, append)["events"].rows == 0
    assert runs.rows("select id from s__events order by 1") == [(1,), (2,)]
