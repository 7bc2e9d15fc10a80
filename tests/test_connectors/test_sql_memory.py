"""A table is streamed: memory does not grow with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.test_connectors.conftest import Source

READ = """
import resource, sys
from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.sql_database.extract import read_stream
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import StreamPlan

source = Target.parse(SourceConfig.model_validate_json(sys.stdin.readline()))

def read(name):
    plan = StreamPlan(name=name, table=name, mode="incremental", cursor="n", primary_key=("n",),
                      columns={"h": "hash"})
    return sum(rows for _, rows in read_stream(source, plan, ExtractContext(sys.argv[1]), "1")[1])

read("small")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(read("large"), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_large_table_takes_no_more_memory_than_a_small_one(source: Source, tmp_path: Path):
    shape = "as select n, 'h' as h, repeat('x', 1000) as v from generate_series(1, {}) n"
    source.run(
        "create table small " + shape.format(10), "create table large " + shape.format(150_000)
    )
    given = source.config.model_dump_json()
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)],
        input=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows, grown_mib = map(int, done.stdout.split())
    assert rows == 150_000
    assert grown_mib < 20
