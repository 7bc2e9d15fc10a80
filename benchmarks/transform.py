"""How long dbt takes in a warm sandbox: parse 30 models with 40 tests, build all, build one, read.

Everything a caller waits for is in it: the fork, the rendered project, dbt, PostgreSQL.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.report import Figure, finish, percentile
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.schemas.dbt_models import DbtFile
from etlfabric_dagster.schemas.jobs import (
    DbtProject,
    Job,
    ParseJob,
    PreviewJob,
    QueryJob,
    TransformJob,
    Warehouse,
)
from etlfabric_dagster.testing import postgres_cluster, sandbox_server

PARSE_TARGET_S, MODEL_TARGET_S = 1.0, 0.3
PREFIX, OWNER, LOGIN = "tenant_bench", "bench_owner", "bench_login"
PASSWORD = secrets.token_hex(8)


def main() -> None:
    """Run each kind of job `--rounds N` (7) times and judge the median."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    rounds = parser.parse_args().rounds
    home = Path(tempfile.mkdtemp(prefix="etlfabric_bench_"))
    home.chmod(0o755)
    with postgres_cluster(home / "postgres") as cluster, sandbox_server(home) as sandbox:
        warehouse = _warehouse(cluster)
        project = DbtProject(files=_files())
        parse = ParseJob(project=project, warehouse=warehouse)
        packed = sandbox.client.run(parse).payload["packed"]
        build = TransformJob(project=project, warehouse=warehouse, packed=packed)
        sandbox.client.run(build)

        def median(job: Job) -> float:
            return _median(lambda: sandbox.client.run(job), rounds)

        one = build.model_copy(update={"select": ("model.tenant.mart_1",)})
        path = "marts/mart_1.sql"
        preview = PreviewJob(project=project, warehouse=warehouse, packed=packed, path=path)
        figures = {
            "parse_30_models_s": Figure(median(parse), PARSE_TARGET_S),
            "build_one_model_s": Figure(median(one), MODEL_TARGET_S),
            "build_70_nodes_s": Figure(median(build)),
            "preview_s": Figure(median(preview)),
            "query_s": Figure(median(QueryJob(warehouse=warehouse, sql="select 1 as one"))),
        }
    finish("transform", figures)


def _median(call: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return percentile(seconds, 0.5)


def _files() -> tuple[DbtFile, ...]:
    staging = {f"staging/stg_{n}.sql": f"select {n} as id, 'x' as name" for n in range(20)}
    marts = {f"marts/mart_{n}.sql": f"select * from {{{{ ref('stg_{n}') }}}}" for n in range(10)}
    tests = "".join(
        f"  - name: stg_{n}\n    columns: [{{name: id, data_tests: [not_null, unique]}}]\n"
        for n in range(20)
    )
    files = staging | marts | {"staging/schema.yml": f"version: 2\nmodels:\n{tests}"}
    return tuple(DbtFile(path=path, content=content) for path, content in files.items())


def _warehouse(cluster: PostgresCluster) -> Warehouse:
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"create role {OWNER}")
        conn.execute(f"create role {LOGIN} login password '{PASSWORD}' in role {OWNER}")
        conn.execute(f"alter role {LOGIN} set role = {OWNER}")
        for layer in ("raw", "staging", "marts"):
            conn.execute(f"create schema {PREFIX}_{layer} authorization {OWNER}")
    return Warehouse(
        host="127.0.0.1",
        port=cluster.port,
        database="postgres",
        username=LOGIN,
        password=PASSWORD,
        owner_role=OWNER,
        schema_prefix=PREFIX,
    )


if __name__ == "__main__":
    main()
