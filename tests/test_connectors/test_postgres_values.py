"""Every PostgreSQL value arrives as it is, in a column of its own type."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from psycopg import sql

from etlfabric_dagster.connectors.policies import hash_text
from etlfabric_dagster.connectors.rawfile import RawFiles, column_hints, csv_line, raw_name
from etlfabric_dagster.schemas.streams import ColumnPolicy, LoadMode
from tests.test_connectors.conftest import Loader, Source

VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["'-32768'", "32767"],
    "integer": ["'-2147483648'"],
    "bigint": ["'-9223372036854775808'", "9223372036854775807"],
    "numeric(38,10)": ["'9999999999999999999999999999.9999999999'", "'-0.0000000001'", "'NaN'"],
    "numeric": ["'1e300'", "'NaN'", "'Infinity'", "'-Infinity'", "0.1000"],
    "real": ["'0.1'", "'NaN'", "'-Infinity'", "'3.4028235e38'"],
    "double precision": ["0.1", "'1e-307'", "'NaN'", "'Infinity'", "'-0'"],
    "text": [
        "''",
        r"'\N'",
        r"E'\\.'",
        r"E'a\n\\.\nb'",
        "'say \"hi\"'",
        "'it''s'",
        r"E'tab\tnew\nline\r\n'",
        "'naïve 数量 😀'",
        "'NULL'",
        "' padded '",
        r"'back\slash'",
        "'a,b'",
    ],
    "character varying(20)": ["''", "'x'"],
    "character(5)": ["'ab'"],
    "bytea": [r"'\x'", r"'\x00ff0a5c'"],
    "date": ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'2026-02-28'", "'5874897-12-31'"],
    "time without time zone": ["'24:00:00'", "'23:59:59.999999'"],
    "time with time zone": ["'12:00:00+05:30'"],
    "timestamp without time zone": ["'infinity'", "'2026-03-29 02:30:00.123456'", "'-infinity'"],
    "timestamp(3) without time zone": ["'2026-03-29 02:30:00.123'"],
    "timestamp with time zone": ["'infinity'", "'2026-03-29 02:30:00.123456+02'", "'0001-01-01'"],
    "interval": ["'1 year 2 mons 3 days -04:05:06.789'", "'-1 mons +3 days'"],
    "json": ["""'{"b": 1, "a": 1,  "a": 2}'""", "'123456789012345678901234567890'"],
    "jsonb": ["""'{"n": 1234567890123456789012345.5, "s": "\\u00e9\\n"}'""", "'null'", "'\"\"'"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    "text[]": ["'{}'", """'{a,NULL,"NULL","",","}'""", "'{{a,b},{c,d}}'"],
    "integer[]": ["'{1,NULL,-3}'", "'[0:1]={7,8}'"],
    "numeric(10,2)[]": ["'{1.50,NaN}'"],
    "timestamp with time zone[]": ["'{infinity,2026-01-01}'"],
    "inet": ["'10.0.0.1/8'"],
    "cidr": ["'10.0.0.0/8'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "bit(3)": ["B'101'"],
    "bit varying(5)": ["B'1'", "B''"],
    "int4range": ["'[1,10)'", "'empty'"],
    "tstzrange": ["'[2026-01-01,)'"],
    "point": ["'(0.1,2)'"],
    "tsvector": ["'a:1 b:2'"],
}


@pytest.mark.parametrize("rewritten", [False, True], ids=["copy", "rows"])
def test_every_type_and_value_survives(source: Source, loader: Loader, rewritten: bool):
    columns = {f"c{at}": pg_type for at, pg_type in enumerate(VALUES)}
    deepest = max(map(len, VALUES.values())) + 1
    source.run("create table t ({})".format(", ".join(f"{n} {t}" for n, t in columns.items())))
    for at in range(deepest):  # the last row is NULL throughout
        values = [f"{v[at]}::{t}" if at < len(v) else "null" for t, v in VALUES.items()]
        source.run(f"insert into t values ({', '.join(values)})")
    policies = {"secret": ColumnPolicy.HASH} if rewritten else {}
    source.run("alter table t add secret text default 'x'")

    assert loader.load(source.config, "t", columns=policies) == deepest

    arrived = source.rows(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'raw.t'::regclass and attnum > 0 and attname ~ '^c[0-9]'"
    )
    assert dict(arrived) == columns
    for name, pg_type in columns.items():
        before, after = (
            source.rows(f"select {name}::text, count(*) from {table} group by 1 order by 1")
            for table in ("public.t", "raw.t")
        )
        assert before == after, pg_type
    assert loader.warnings == []


def test_types_of_the_sources_own_become_their_text_and_say_so(source: Source, loader: Loader):
    source.run(
        "create type mood as enum ('sad', 'so so')",
        "create type pair as (a int, b text)",
        "create domain cents as numeric(12,2) check (value >= 0)",
        "create domain positive as cents not null",
        "create table t (e mood, es mood[], p pair, ps pair[], d positive, m money, x xml,"
        " r regclass)",
        """insert into t values ('so so', '{sad,"so so",NULL}', '(1,"a,b")',
           array['(1,"a,b")'::pair], 5, '12.50', null, 't')""",
    )
    loader.load(source.config, "t")
    types = source.rows(
        "select format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'raw.t'::regclass and attnum > 0 order by attnum"
    )
    expected = ["text", "text[]", "text", "text[]", "numeric(12,2)", "numeric", "text", "text"]
    assert [t for (t,) in types][:8] == expected
    assert source.rows("select e, es, p, ps, d::text, m::text, r from raw.t") == [
        ("so so", ["sad", "so so", None], '(1,"a,b")', ['(1,"a,b")'], "5.00", "12.50", "public.t")
    ]
    assert {w.split(":")[1].strip() for w in loader.warnings} == {"p", "ps", "m", "x", "r"}


def test_hostile_names_survive(source: Source, loader: Loader):
    names = [
        'we"ird',
        "SELECT",
        "数量",
        "价格",
        "Größe",
        "two words",
        "x" * 63,
        "a%sb",
        "{c}",
        ";--",
    ]
    table = 'ta"ble; drop %s {} 数'
    quoted = [name.replace('"', '""') for name in names]
    source.run(
        'create table "ta""ble; drop %s {} 数" (' + ", ".join(f'"{n}" text' for n in quoted) + ")",
        'insert into "ta""ble; drop %s {} 数" values (' + ", ".join("'v'" for _ in names) + ")",
    )
    assert loader.load(source.config, table, table="odd") == 1
    raw = [
        name
        for (name,) in source.rows(
            "select column_name from information_schema.columns"
            " where table_schema = 'raw' order by ordinal_position"
        )
    ]
    assert raw == [raw_name(name) for name in names] + ["_dlt_load_id"]
    assert len(set(raw)) == len(raw)


def test_a_thousand_hostile_column_names_survive(source: Source, loader: Loader):
    parts = [
        '"',
        "'",
        ";",
        "--",
        "%s",
        "{0}",
        "$1",
        "\\",
        "\n",
        "\t",
        " ",
        "é",
        "数",
        "😀",
        "`",
        "/*",
    ]
    parts += [
        "select",
        "NULL",
        ")",
        "[",
        "?",
        ":x",
        "@",
        "Σ",
        "ß",
        "\u202e",
        "\x7f",
        "1",
        ".",
        "..",
        ",",
    ]
    dice = random.Random(7)
    names = [f"{at}" + "".join(dice.choices(parts, k=6)) for at in range(1000)]
    quoted = [sql.Identifier(name[:40]).as_string() for name in names]
    source.run(f"create table t ({', '.join(f'{name} text' for name in quoted)})")
    source.run(f"insert into t values ({', '.join(map(repr, range(1000)))})")
    loader.load(source.config, "t")
    (row,) = source.rows("select * from raw.t")
    assert row[:-1] == tuple(str(at) for at in range(1000))
    columns = source.rows(
        "select column_name from information_schema.columns where table_schema = 'raw'"
    )
    assert all(re.fullmatch("[a-z0-9_]{1,63}", name) for (name,) in columns)


def test_content_hash_of_scd2_tells_null_from_empty(source: Source, loader: Loader):
    source.run("create table t (id int, v text)", "insert into t values (1, ''), (1, null)")
    loader.load(source.config, "t", mode=LoadMode.SCD2, primary_key=("id",))
    hashes = source.rows("select _fabric_row_hash from raw.t")
    assert len({h for (h,) in hashes}) == 2


def test_hash_mask_and_drop_are_applied_before_anything_is_written(
    source: Source, loader: Loader, tmp_path: Path
):
    source.run(
        "create table t (id int, email text, phone bigint, salary numeric)",
        "insert into t values (1, 'canary@acme.io', 555123, 99), (2, null, null, null)",
    )
    policies = {
        "email": ColumnPolicy.HASH,
        "phone": ColumnPolicy.MASK,
        "salary": ColumnPolicy.DROP,
    }
    loader.load(source.config, "t", columns=policies)
    expected = [(1, hash_text("org-key", "canary@acme.io"), "***"), (2, None, None)]
    assert source.rows("select id, email, phone from raw.t order by id") == expected
    written = b"".join(path.read_bytes() for path in tmp_path.glob("*.csv"))
    assert b"canary" not in written
    assert b"555123" not in written
    assert b"salary" not in written


def test_twenty_megabytes_in_one_cell_arrive(source: Source, loader: Loader):
    source.run("create table t (b text)", "insert into t select repeat('é', 10 * 1024 * 1024)")
    loader.load(source.config, "t")
    assert source.rows("select md5(b), octet_length(b) from raw.t") == source.rows(
        "select md5(b), octet_length(b) from t"
    )


def test_file_turns_over_at_record_boundaries_and_repeats_its_header(tmp_path: Path):
    files = RawFiles(str(tmp_path), "t", ["a"], file_bytes=10)
    records = [csv_line([f"{at}\n".encode() * 3]) for at in range(3000)]
    seen: list[int] = []
    assert files.write(records, seen.append) == 3000
    assert [rows for _, rows in files.finished()] == [1024, 1024, 952]
    assert seen == [1024, 2048]
    texts = [Path(path).read_bytes() for path, _ in files.finished()]
    assert all(text.startswith(b'"a"\n') for text in texts)
    assert b"".join(text.removeprefix(b'"a"\n') for text in texts) == b"".join(records)


def test_every_destination_type_has_a_dlt_type_beside_it():
    hints = {pg_type: column_hints(pg_type) for pg_type in VALUES}
    assert hints["numeric(38,10)"]["precision"] == 38
    assert hints["numeric(38,10)"]["scale"] == 10
    assert hints["timestamp(3) without time zone"]["data_type"] == "timestamp"
    assert hints["text[]"]["data_type"] == "text"
    assert all(hint["x-pg-type"] == pg_type for pg_type, hint in hints.items())
