"""The filesystem connector on a real S3 server and on uploads: exact values, bad files named."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.extract.hints import HintsMeta
from dlt.extract.items_transform import ItemTransform

from etlfabric_dagster.connectors.base import PG_TYPE_HINT, ExtractContext
from etlfabric_dagster.connectors.filesystem import (
    CONNECTOR,
    csv_files,
    extract,
    jsonl_files,
    parquet_files,
    store,
)
from etlfabric_dagster.connectors.filesystem.config import MODIFIED_AT
from etlfabric_dagster.connectors.filesystem.sample import START_BYTES
from etlfabric_dagster.connectors.validation import validate_connection
from etlfabric_dagster.errors import ConnectorError, FabricError, InvalidInputError
from etlfabric_dagster.schemas.jobs import EgressPolicy, SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from tests.s3 import S3Server, s3_server

LOOPBACK = EgressPolicy(allow=("127.0.0.0/8",))


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


class Place:
    """A folder in the bucket, and connections that read it."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        self.folder = uuid4().hex

    def put(self, name: str, body: bytes | str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.server.put(f"{self.folder}/{name}", data)

    def delete(self, name: str) -> None:
        self.server.client().delete_object(Bucket=self.server.bucket, Key=f"{self.folder}/{name}")

    def source(self, glob: str = "*.csv", format: str = "csv", **stream: Any) -> SourceConfig:
        config = {
            "bucket_url": f"s3://{self.server.bucket}/{self.folder}",
            "endpoint_url": self.server.endpoint_url,
            "streams": [{"name": "orders", "glob": glob, "format": format, **stream}],
        }
        secrets = {
            "aws_access_key_id": self.server.key,
            "aws_secret_access_key": self.server.secret,
        }
        validate_connection(CONNECTOR.spec, config, secrets)
        return SourceConfig(connector="filesystem", config=config, secrets=secrets, egress=LOOPBACK)


@pytest.fixture
def place(s3: S3Server) -> Place:
    return Place(s3)


class Read:
    """One read of one stream: rows, declared types, warnings, state."""

    def __init__(
        self,
        source: SourceConfig,
        workdir: Path,
        state: dict[str, Any] | None = None,
        **plan: Any,
    ) -> None:
        self.warnings: list[str] = []
        self.state = json.loads(json.dumps(state or {}))
        context = ExtractContext(
            workdir=str(workdir),
            warn=lambda stream, text: self.warnings.append(text),
            state=self.state,
        )
        fields = {"name": "orders", "table": "s__orders", "mode": LoadMode.FULL, **plan}
        self.plan = StreamPlan(**fields)
        (resource,) = CONNECTOR.resources(source, [self.plan], context)
        self.types: dict[str, str] = {}
        resource.add_step(SeeTypes(self.types))
        self.rows = [row for item in resource for row in _rows(item)]
        assert list(workdir.iterdir()) == [], "files were left behind"


class SeeTypes(ItemTransform[Any, Any]):
    """Notes the types that the columns of each table shall have in PostgreSQL."""

    def __init__(self, types: dict[str, str]) -> None:
        super().__init__(lambda item: item)
        self._types = types

    def __call__(self, item: Any, meta: Any = None) -> Any:
        if isinstance(meta, HintsMeta):
            columns = meta.hints["columns"].values()
            self._types.update({c["name"]: c[PG_TYPE_HINT] for c in columns})
        return item


def _rows(item: Any) -> list[dict[str, Any]]:
    if isinstance(item, pa.Table):
        return item.to_pylist()
    return item if isinstance(item, list) else [item]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Read]:
    return lambda source, state=None, **plan: Read(source, tmp_path, state, **plan)


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[..., ConnectorError]:
    """The error a read ends with, as the sandbox finds it under dlt's own."""

    def refused(source: SourceConfig, state: Any = None, **plan: Any) -> ConnectorError:
        with pytest.raises(Exception) as raised:  # noqa: PT011
            Read(source, tmp_path, state, **plan)
        error: BaseException | None = raised.value
        while error is not None and not isinstance(error, FabricError):
            error = error.__cause__
        assert isinstance(error, ConnectorError), raised.value
        assert error.remedy
        return error

    return refused


def test_csv_values_keep_their_characters(place: Place, read: Any) -> None:
    place.put(
        "a.csv",
        "\ufeffid,name,Zip Code,note,empty,price\r\n"
        '1,"O\'Neil, ""J""",00123,"two\nlines",,12.50\r\n'
        '2,ünï\t😀,00456,"","",3\r\n',
    )
    found = read(place.source())
    assert found.rows == [
        {"id": "1", "name": "O'Neil, \"J\"", "zip_code": "00123", "note": "two\nlines",
         "empty": None, "price": "12.50"},
        {"id": "2", "name": "ünï\t😀", "zip_code": "00456", "note": "", "empty": "",
         "price": "3"},
    ]  # fmt: skip
    assert found.types == {
        "id": "bigint", "name": "text", "zip_code": "text", "note": "text", "empty": "text",
        "price": "numeric",
    }  # fmt: skip
    assert found.warnings == []


TYPES = {
    "bigint": ["0", "-12", "9223372036854775807"],
    "numeric": ["0", "-0.5", "123456789012345678901234567890.000001"],
    "boolean": ["true", "FALSE"],
    "date": ["2026-11-22", "0001-01-01"],
    "timestamp without time zone": ["2026-11-22 14:05", "2026-11-22T14:05:06.123456"],
    "timestamp with time zone": ["2026-11-22T14:05:06Z", "2026-11-22 14:05:06.5+02:00"],
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_type_is_taken_when_every_value_spells_it(place: Place, read: Any, kind: str) -> None:
    place.put("a.csv", "x,y\n" + "".join(f"{value},\n" for value in [*TYPES[kind], ""]))
    found = read(place.source())
    assert found.types["x"] == kind
    assert found.types["y"] == "text"
    assert [row["x"] for row in found.rows] == [*TYPES[kind], None]


@pytest.mark.parametrize(
    "values",
    [["1", "01"], ["+1"], ["1", "9223372036854775808x"], ["1e5"], ["1,0"], ["yes"], ["1", "true"],
     ["2026-02-30"], ["22.11.2026"], ["2026-11-22", "1"], ["NaN"], [" 1"], ["1", '""'],
     ["2026-11-22 25:00"], ["2026-11-22 14:05", "2026-11-22 14:05Z"]],
)  # fmt: skip
def test_a_doubtful_column_is_text(place: Place, read: Any, values: list[str]) -> None:
    quoted = [v if v.startswith('"') else f'"{v}"' for v in values]
    place.put("a.csv", "x,y\n" + "".join(f"{value},z\n" for value in quoted))
    found = read(place.source())
    assert found.types["x"] == "text"
    assert [row["x"] for row in found.rows] == [v.strip('"') for v in values]


def test_a_whole_number_beyond_64_bits_is_numeric(place: Place, read: Any) -> None:
    place.put("a.csv", "x,y\n9223372036854775808,\n")
    assert read(place.source()).types["x"] == "numeric"


def test_declared_types_win_and_are_enforced(place: Place, read: Any, refusal: Any) -> None:
    place.put("a.csv", "id,Price\n1,2\n2,3\n")
    declared = {"id": "text", "Price": "double precision"}
    assert read(place.source(columns=declared)).types == {"id": "text", "price": "double precision"}
    place.put("a.csv", 'id,Price\n1,2\n"2\n2",n/a\n')
    error = refusal(place.source(columns=declared))
    assert error.message == (
        "a.csv, line 3 has “n/a” as price, which is no double precision, as it is declared."
        " No row of this file was loaded."
    )


@pytest.mark.parametrize(
    ("body", "line", "text"),
    [
        ("a,b\n1,2\n3,4,5\n", 3, "has 3 values; the header has 2"),
        ("a,b\n1,2\n3\n", 3, "has 1 value; the header has 2"),
        ('a,b\n"1\n1",2\n3,4,5\n', 4, "has 3 values"),
        ('a,b\n1,2\n3,"open\n4,5\n6,7\n', 3, "opens a quote that is never closed"),
        (b"a,b\n1,2\ncaf\xe9,3\n", 3, "is not UTF-8: byte 4 is 0xe9"),
        (b"caf\xe9,b\n1,2\n", 1, "is not UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_nothing_of_the_stream_is_loaded(
    place: Place, refusal: Any, body: Any, line: int, text: str
) -> None:
    place.put("orders_10.csv", "a,b\n1,2\n")
    place.put("orders_11.csv", body)
    error = refusal(place.source())
    assert error.code == "bad_file"
    assert error.where == {"stream": "orders", "file": "orders_11.csv", "line": line}
    assert error.message.startswith(f"orders_11.csv, line {line} ")
    assert text in error.message
    assert error.message.endswith("No row of this file was loaded.")


def test_a_bad_line_far_behind_is_named(place: Place, refusal: Any) -> None:
    place.put("big.csv", "a,b\n" + "1,2\n" * 200_000 + "1,2,3\n")
    assert refusal(place.source()).where["line"] == 200_002


def test_an_empty_file_is_a_warning_and_stops_no_other(place: Place, read: Any) -> None:
    place.put("a.csv", "")
    place.put("b.csv", "\n\n")
    place.put("c.csv", "id\n1\n")
    place.put("d.csv", "id\n")
    found = read(place.source())
    assert [row["id"] for row in found.rows] == ["1"]
    assert found.warnings == [
        "a.csv is empty; it was left out.", "b.csv is empty; it was left out."
    ]  # fmt: skip


def test_files_with_other_columns_are_joined(place: Place, read: Any) -> None:
    place.put("a.csv", "id,name\n1,x\n")
    place.put("b.csv", "name,id,extra\ny,2,true\n")
    found = read(place.source())
    assert found.rows == [{"id": "1", "name": "x"}, {"name": "y", "id": "2", "extra": "true"}]
    assert found.types == {"id": "bigint", "name": "text", "extra": "boolean"}


def test_a_header_without_a_name_gets_its_number(place: Place, read: Any) -> None:
    place.put("a.csv", "id,,\n1,2,3\n")
    assert read(place.source()).rows == [{"id": "1", "column_2": "2", "column_3": "3"}]


def test_two_names_for_one_column_are_refused(place: Place, refusal: Any) -> None:
    place.put("a.csv", "userName,user_name\n1,2\n")
    error = refusal(place.source())
    assert error.code == "duplicate_column"
    assert "orders has userName and user_name; both become user_name." in error.message


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_or_given(place: Place, read: Any, delimiter: str) -> None:
    place.put("a.csv", f"id{delimiter}b\n1{delimiter}x\n")
    assert read(place.source()).rows == [{"id": "1", "b": "x"}]
    assert read(place.source(delimiter=delimiter)).rows == [{"id": "1", "b": "x"}]


def test_one_column_keeps_its_empty_lines(place: Place, read: Any) -> None:
    place.put("a.csv", "id\n1\n\n3\n")
    assert [row["id"] for row in read(place.source()).rows] == ["1", None, "3"]


def test_utf16_and_nul_are_told(place: Place, read: Any, refusal: Any) -> None:
    place.put("a.csv", "a,b\nx\0y,2\n")
    found = read(place.source())
    assert found.rows == [{"a": "xy", "b": "2"}]
    assert found.warnings == ["1 values of a had NUL characters, which text cannot hold: removed."]
    place.put("a.csv", "a,b\n1,2\n".encode("utf-16"))
    assert "UTF-16" in refusal(place.source()).message


def test_gzip_is_taken_off_whatever_the_name(place: Place, read: Any, refusal: Any) -> None:
    packed = gzip.compress(b"id\n1\n") + gzip.compress(b"2\n")
    place.put("a.csv", packed)
    assert [row["id"] for row in read(place.source()).rows] == ["1", "2"]
    place.put("a.csv", gzip.compress(b"id\n" + b"1\n" * 10_000)[:-6])
    assert "gzip data is broken or cut short" in refusal(place.source()).message


def test_a_bomb_is_stopped(place: Place, refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RATIO_COUNTS_FROM", 1 << 20)
    place.put("a.csv.gz", gzip.compress(b"id\n" + b"1\n" * (5 << 20)))
    error = refusal(place.source("*.gz"))
    assert error.code == "too_large"
    assert "a.csv.gz unpacks to more than 200 times its size" in error.message
    monkeypatch.setattr(store, "MAX_FILE_BYTES", 1000)
    place.put("b.csv", "id\n" + "1\n" * 1000)
    assert refusal(place.source("b.csv")).code == "too_large"


def test_a_line_longer_than_a_block_is_told(
    place: Place, refusal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 1 << 20)
    place.put("a.csv", "a,b\n1,2\n3," + "x" * (3 << 20) + "\n4,5\n")
    assert "is longer than 1 MiB" in refusal(place.source()).message


def test_too_many_columns_are_refused(place: Place, refusal: Any) -> None:
    place.put("a.csv", ",".join(f"c{n}" for n in range(2000)) + "\n")
    assert "has 2,000 columns" in refusal(place.source()).message


MERGE = {"mode": LoadMode.MERGE, "cursor": MODIFIED_AT, "primary_key": ("id",)}


def test_only_new_and_changed_files_are_read(place: Place, read: Any) -> None:
    place.put("a.csv", "id,v\n1,x\n")
    place.put("b.csv", "id,v\n2,x\n")
    first = read(place.source(), **MERGE)
    assert {row["id"] for row in first.rows} == {"1", "2"}
    assert {row["_file_name"] for row in first.rows} == {"a.csv", "b.csv"}
    assert all(row[MODIFIED_AT].tzinfo for row in first.rows)
    second = read(place.source(), first.state, **MERGE)
    assert second.rows == []
    place.put("b.csv", "id,v\n2,changed\n")
    place.put("c.csv", "id,v\n3,x\n")
    third = read(place.source(), second.state, **MERGE)
    assert {(row["id"], row["v"]) for row in third.rows} == {("2", "changed"), ("3", "x")}
    full = read(place.source(), third.state, **{**MERGE, "full_refresh": True})
    assert len(full.rows) == 3
    assert len(read(place.source(), third.state).rows) == 3, "full mode reads all files"


def test_the_probe_sees_new_changed_and_unlistable(place: Place, read: Any) -> None:
    place.put("a.csv", "id,v\n1,x\n")
    found = read(place.source(), **MERGE)
    assert CONNECTOR.probe(place.source(), [found.plan], found.state) == set()
    place.put("b.csv", "id,v\n1,x\n")
    assert CONNECTOR.probe(place.source(), [found.plan], found.state) == {"orders"}
    closed = place.source().model_copy(update={"egress": EgressPolicy()})
    assert CONNECTOR.probe(closed, [found.plan], found.state) == {"orders"}
    assert CONNECTOR.probe(place.source(), [found.plan], {}) == {"orders"}


def test_a_failed_stream_reads_its_files_again(place: Place, read: Any, refusal: Any) -> None:
    place.put("a.csv", "id,v\n1,x\n")
    state = read(place.source(), **MERGE).state
    place.put("b.csv", "id,v\n2\n")
    refusal(place.source(), state, **MERGE)
    place.put("b.csv", "id,v\n2,y\n")
    assert [row["id"] for row in read(place.source(), state, **MERGE).rows] == ["2"]


def test_a_changed_file_without_a_key_is_warned_about(place: Place, read: Any) -> None:
    append = {"mode": LoadMode.APPEND, "cursor": MODIFIED_AT}
    place.put("a.csv", "id\n1\n")
    first = read(place.source(), **append)
    place.put("a.csv", "id\n1\n2\n")
    second = read(place.source(), first.state, **append)
    assert second.warnings == ["a.csv changed and was read again; the rows it had before stay."]


def test_types_stand_once_rows_are_loaded(place: Place, read: Any, refusal: Any) -> None:
    place.put("a.csv", "id,n,d\n1,5,2026-01-01\n")
    first = read(place.source(), **MERGE)
    assert first.types["n"] == "bigint"
    place.put("b.csv", "id,n,d\n2,5.5,2026-01-01 10:00\n")
    second = read(place.source(), first.state, **MERGE)
    assert (second.types["n"], second.types["d"]) == ("numeric", "timestamp without time zone")
    place.put("c.csv", "id,n,d\n3,1,2026-01-01\n4,n/a,2026-01-01\n")
    error = refusal(place.source(), second.state, **MERGE)
    assert "c.csv, line 3 has “n/a” as n, which is no numeric" in error.message


def test_a_cursor_among_the_data(place: Place, read: Any, refusal: Any) -> None:
    by_data = {"mode": LoadMode.APPEND, "cursor": "n"}
    place.put("a.csv", "id,n\n1,9\n2,10\n")
    first = read(place.source(), **by_data)
    place.put("b.csv", "id,n\n2,10\n3,10\n4,11\n5,9\n")
    second = read(place.source(), first.state, **by_data)
    assert [row["id"] for row in second.rows] == ["3", "4"]
    assert second.state["orders"]["cursor"] == 11
    place.put("c.csv", "id,n\n6,\n")
    error = refusal(place.source(), second.state, **by_data)
    assert error.code == "cursor_nulls"
    assert "1 row of orders has no n (c.csv)" in error.message
    place.put("c.csv", "id,x\n6,1\n")
    assert "has no column n" in refusal(place.source(), second.state, **by_data).message


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_parquet_types_are_exact(place: Place, read: Any) -> None:
    at = datetime.fromisoformat("2026-11-22T14:05:06.123456")
    body = parquet(
        id=pa.array([1, None], pa.int32()),
        big=pa.array([2**64 - 1, None], pa.uint64()),
        price=pa.array([Decimal("12345678901234567890.0123456789"), None], pa.decimal128(38, 10)),
        huge=pa.array([Decimal("1" * 50), None], pa.decimal256(60, 0)),
        naive=pa.array([at, None], pa.timestamp("us")),
        aware=pa.array([at, None], pa.timestamp("us", "Europe/Berlin")),
        nanos=pa.array([1, None], pa.timestamp("ns")),
        day=pa.array([date(2026, 11, 22), None]),
        raw=pa.array([b"\x00\xff", None]),
        tags=pa.array([["a", None], None]),
        info=pa.array([{"x": float("nan"), "y": b"\x01"}, None]),
        kind=pa.array(["a", None]).dictionary_encode(),
        text=pa.array(["", None], pa.large_string()),
        nothing=pa.nulls(2),
        Flag=pa.array([True, None]),
    )
    place.put("a.parquet", body)
    found = read(place.source("*.parquet", "parquet"))
    assert found.types == {
        "id": "integer", "big": "numeric", "price": "numeric(38,10)", "huge": "numeric(60,0)",
        "naive": "timestamp without time zone", "aware": "timestamp with time zone",
        "nanos": "timestamp without time zone", "day": "date", "raw": "bytea", "tags": "jsonb",
        "info": "jsonb", "kind": "text", "text": "text", "flag": "boolean",
    }  # fmt: skip
    row, nulls = found.rows
    assert (row["big"], row["price"]) == (str(2**64 - 1), "12345678901234567890.0123456789")
    assert row["huge"] == "1" * 50
    assert (row["naive"], row["aware"]) == (at, at.replace(tzinfo=UTC))
    assert (row["raw"], row["text"], row["kind"]) == (b"\x00\xff", "", "a")
    assert json.loads(row["tags"]) == ["a", None]
    assert json.loads(row["info"]) == {"x": None, "y": "01"}
    assert set(nulls.values()) == {None}
    assert found.warnings == ["nanos has nanoseconds; it was cut to microseconds."]


@pytest.mark.parametrize("body", [b"PAR1 no", b"x" * 100, parquet(id=[1, 2])[:-20]])
def test_a_broken_parquet_file_is_named(place: Place, refusal: Any, body: bytes) -> None:
    place.put("a.parquet", body)
    error = refusal(place.source("*.parquet", "parquet"))
    assert error.message.startswith("a.parquet is no readable Parquet file")


def test_a_parquet_bomb_is_refused_by_its_footer(
    place: Place, refusal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_files, "MAX_ROWS_PER_BYTE", 100)
    monkeypatch.setattr(parquet_files, "ROWS_COUNT_FROM", 100_000)
    place.put("a.parquet", parquet(a=pa.repeat(pa.scalar(0), 1_000_000)))
    error = refusal(place.source("*.parquet", "parquet"))
    assert error.code == "too_large"
    assert "a.parquet is too large: it unpacks to 1,000,000 rows" in error.message


def test_an_empty_parquet_file_is_a_warning(place: Place, read: Any) -> None:
    place.put("a.parquet", b"")
    place.put("b.parquet", parquet(id=[1]))
    found = read(place.source("*.parquet", "parquet"))
    assert (len(found.rows), found.warnings) == (1, ["a.parquet is empty; it was left out."])


def test_jsonl_is_read_line_by_line(place: Place, read: Any) -> None:
    place.put("a.jsonl", '\ufeff{"id": 1, "user": {"n": "x"}}\n\n{"id": 2, "t": "a\\u0000"}\n')
    place.put("b.jsonl", "\n")
    found = read(place.source("*.jsonl", "jsonl"))
    assert found.rows == [{"id": 1, "user": {"n": "x"}}, {"id": 2, "t": "a"}]
    assert sorted(found.warnings) == [
        "1 values of t had NUL characters, which text cannot hold: removed.",
        "b.jsonl is empty; it was left out.",
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"id": 2', "a.jsonl, line 2 breaks off"),
        (b'{"id": 18446744073709551616}', "a.jsonl, line 2: id is 18446744073709551616"),
        (b'{"id": "\xe9"}', "a.jsonl, line 2 is not UTF-8"),
        (b'{"aB": 1, "a_b": 2}', "both become a_b"),
        (b"[" * 300 + b"]" * 300, "a.jsonl, line 2 is nested deeper"),
    ],
)
def test_a_bad_json_line_is_named(place: Place, refusal: Any, line: bytes, text: str) -> None:
    place.put("a.jsonl", b'{"id": 1}\n' + line + b"\n")
    assert text in refusal(place.source("*.jsonl", "jsonl")).message


def test_a_line_of_20_mb_is_read_and_an_endless_one_is_not(
    place: Place, read: Any, refusal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("a.jsonl", json.dumps({"id": 1, "text": "x" * 20_000_000}))
    assert len(read(place.source("*.jsonl", "jsonl")).rows[0]["text"]) == 20_000_000
    monkeypatch.setattr(jsonl_files, "MAX_LINE_BYTES", 1000)
    assert "line 1 is longer" in refusal(place.source("*.jsonl", "jsonl")).message


def test_jsonl_follows_files_and_cursors(place: Place, read: Any) -> None:
    by_data = {"mode": LoadMode.MERGE, "cursor": "user__at", "primary_key": ("id",)}
    place.put("a.jsonl", '{"id": 1, "user": {"At": "2026-01-01T00:00:00Z"}}\n')
    first = read(place.source("*.jsonl", "jsonl"), **by_data)
    place.put("b.jsonl", '{"id": 2, "user": {"At": "2025-01-01T00:00:00Z"}}\n'
                         '{"id": 3, "user": {"At": "2026-01-01T00:00:00Z"}}\n')  # fmt: skip
    second = read(place.source("*.jsonl", "jsonl"), first.state, **by_data)
    assert [row["id"] for row in second.rows] == [3]
    by_file = read(place.source("*.jsonl", "jsonl"), **MERGE)
    assert by_file.rows[0]["_file_name"] == "a.jsonl"


def test_globs(place: Place, read: Any) -> None:
    for name in ("a.csv", "x/b.csv", "x/y/c.csv", "x/d.txt", "a[1].csv", "xa.csv"):
        place.put(name, f"file\n{name}\n")

    def names(glob: str) -> set[str]:
        return {row["file"] for row in read(place.source(glob)).rows}

    assert names("*.csv") == {"a.csv", "a[1].csv", "xa.csv"}
    assert names("x/*.csv") == {"x/b.csv"}
    assert names("**/*.csv") == {"a.csv", "a[1].csv", "xa.csv", "x/b.csv", "x/y/c.csv"}
    assert names("x/**") == {"x/b.csv", "x/y/c.csv", "x/d.txt"}
    assert names("?.csv") == {"a.csv"}
    assert names("a[1].csv") == {"a[1].csv"}


def test_no_file_is_an_error_that_keeps_the_old_rows(place: Place, refusal: Any) -> None:
    error = refusal(place.source("nothing_*.csv"))
    assert error.code == "no_files"
    assert "nothing_*.csv" in error.message
    assert "old rows stay" in error.message


def test_files_that_were_taken_away_after_they_were_loaded_are_no_error(
    place: Place, read: Any
) -> None:
    place.put("a.csv", "id,v\n1,x\n")
    first = read(place.source(), **MERGE)
    place.delete("a.csv")
    assert read(place.source(), first.state, **MERGE).rows == []


def test_uploads_are_read_where_the_platform_keeps_them(tmp_path: Path, read: Any) -> None:
    folder = tmp_path.parent / f"{tmp_path.name}_uploads"
    folder.mkdir()
    (folder / "prices 1.csv").write_text("id,price\n1,2.5\n")
    (folder / ".partial-1").write_text("id,price\n9,9\n")
    (tmp_path.parent / "secret.csv").write_text("id\n666\n")
    config = {
        "bucket_url": "uploads://",
        "streams": [{"name": "orders", "glob": "**", "format": "csv"}],
    }
    source = SourceConfig(connector="filesystem", config=config, uploads=f"file://{folder}")
    assert read(source).rows == [{"id": "1", "price": "2.5"}]
    first = read(source, **MERGE)
    assert read(source, first.state, **MERGE).rows == []
    (folder / "prices 1.csv").write_text("id,price\n1,3.5\n")
    assert read(source, first.state, **MERGE).rows[0]["price"] == "3.5"
    assert CONNECTOR.check(source).ok
    none = source.model_copy(update={"uploads": None})
    assert CONNECTOR.check(none).code == "no_uploads"


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "/etc/passwd", "../x", "memory://x", "http://x/y", "https://x/y",
     "local://x", "gs://bucket", "az://x", "sftp://x", "s3://", "s3://a", "s3://Bucket/x",
     "s3://bucket/../x", "s3://bucket/a\\b", "s3://bucket/a?x", "S3://bucket", "s3:/bucket",
     "s3://bucket/\x00", "s3://bucket\n", "uploads://../x", "uploads://x", "uploads:", "",
     "file://s3://bucket", "simplecache::s3://bucket", "s3://user:pw@bucket/x"],
)  # fmt: skip
def test_no_other_place_is_read(url: str) -> None:
    config = {
        "bucket_url": url,
        "streams": [{"name": "orders", "glob": "*.csv", "format": "csv"}],
    }
    source = SourceConfig(connector="filesystem", config=config, uploads="file:///tmp")
    result = CONNECTOR.check(source)
    assert not result.ok
    assert result.code == "invalid_input"
    with pytest.raises(InvalidInputError):
        CONNECTOR.resources(source, [], ExtractContext(workdir=""))
    if "\n" not in url:
        with pytest.raises(InvalidInputError):
            validate_connection(CONNECTOR.spec, config, {})


@pytest.mark.parametrize(
    "stream",
    [
        {"glob": "/etc/*"},
        {"glob": "../*"},
        {"glob": "a/../../b"},
        {"glob": "a\\b"},
        {"glob": ""},
        {"glob": "a\0b"},
        {"format": "pickle"},
        {"name": "a__b"},
        {"name": ""},
        {"name": "x" * 300},
        {"columns": {"a": "text; drop table x"}},
        {"reader": "os.system"},
    ],
)
def test_the_schema_is_a_closed_list(place: Place, stream: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        place.source(**{"glob": "*.csv", **stream})


def test_a_glob_that_would_take_for_ever_is_refused(place: Place) -> None:
    result = CONNECTOR.check(place.source("*a" * 11))
    assert "more than ten stars" in result.cause


def test_check_names_the_cause(place: Place) -> None:
    place.put("a.csv", "id\n1\n")
    good = CONNECTOR.check(place.source())
    assert good.ok
    assert [(s.name, s.detail) for s in good.steps[2:]] == [
        ("list", "orders: 1 files"),
        ("read", "a.csv: 5 bytes"),
    ]
    config = place.source().config

    def check(**change: Any) -> Any:
        changed = place.source().model_copy(update={"config": {**config, **change}})
        return CONNECTOR.check(changed)

    assert check(bucket_url="s3://no-such-bucket").code == "bucket_unknown"
    assert check(endpoint_url="http://127.0.0.1:9").code == "unreachable"
    closed = place.source().model_copy(update={"egress": EgressPolicy()})
    refused = CONNECTOR.check(closed)
    assert refused.code == "egress_denied"
    assert [s.name for s in refused.steps if not s.ok] == ["address"]


def test_discover_tells_columns_types_and_key(place: Place) -> None:
    place.put("a.csv", "id,Name,price\n1,x,2.5\n2,,3\n")
    (csv,) = CONNECTOR.discover(place.source())
    assert [(c.name, c.type, c.nullable) for c in csv.columns] == [
        ("id", "bigint", False), ("name", "text", True), ("price", "numeric", True)]  # fmt: skip
    assert (csv.primary_key, csv.cursor_candidates, csv.row_estimate) == (
        ("id",), (MODIFIED_AT,), 2)  # fmt: skip
    place.put("a.parquet", parquet(id=[1, 2], at=pa.array([1, 2], pa.timestamp("us", "UTC"))))
    (parquet_stream,) = CONNECTOR.discover(place.source("*.parquet", "parquet"))
    assert [(c.name, c.type) for c in parquet_stream.columns] == [
        ("id", "bigint"), ("at", "timestamp with time zone")]  # fmt: skip
    place.put("a.jsonl", '{"id": 1, "u": {"x": "2026-01-01T00:00:00Z"}}\n')
    (jsonl,) = CONNECTOR.discover(place.source("*.jsonl", "jsonl"))
    assert [(c.name, c.type) for c in jsonl.columns] == [("id", "bigint"), ("u__x", "timestamp")]


def test_a_few_values_are_shown_before_anything_is_loaded(place: Place) -> None:
    place.put("a.csv", "id,Name\n" + "".join(f"{n},\n" for n in range(200_000)))
    assert CONNECTOR.sample(place.source(), "orders") == {
        "id": ["0", "1", "2"], "name": [None, None, None]}  # fmt: skip
    price = pa.array([Decimal("1.50"), None], pa.decimal128(9, 2))
    place.put("a.parquet", parquet(id=[1, 2], price=price))
    assert CONNECTOR.sample(place.source("*.parquet", "parquet"), "orders") == {
        "id": ["1", "2"], "price": ["1.50", None]}  # fmt: skip
    place.put("a.jsonl", '{"id": 1, "u": {"x": "' + "y" * 300 + '"}}\n{"id": 2, "tags": ["a"]}\n')
    assert CONNECTOR.sample(place.source("*.jsonl", "jsonl"), "orders") == {
        "id": ["1", "2"], "u__x": ["y" * 200, None]}  # fmt: skip
    with pytest.raises(ConnectorError):
        CONNECTOR.sample(place.source(), "gone")


def test_beginning_of_a_csv_that_ends_inside_a_quoted_value_is_shown_and_discovered(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "SAMPLE_BYTES", START_BYTES)
    long = "\n".join(f'line {n}, ""a""' for n in range(20_000))
    place.put("a.csv", "id,text\n" + "".join(f'{n},5" wide\n' for n in range(3)) + f'3,"{long}"\n')
    assert CONNECTOR.sample(place.source(), "orders") == {
        "id": ["0", "1", "2"], "text": ['5" wide'] * 3}  # fmt: skip
    (found,) = CONNECTOR.discover(place.source())
    assert [c.type for c in found.columns] == ["bigint", "text"]


def test_discovery_of_a_large_file_looks_at_its_beginning(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put("a.csv", "id,n\n" + "".join(f"{n},x\n" for n in range(2_000_000)))
    (found,) = CONNECTOR.discover(place.source())
    assert [c.type for c in found.columns] == ["bigint", "text"]
    assert (found.primary_key, found.row_estimate) == ((), None)
