"""What dbt runs in has no network: the warehouse answers by its Unix socket, nothing else does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from etlfabric_dagster.config import Settings
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.schemas.jobs import QueryJob, ReachJob, Warehouse
from etlfabric_dagster.testing import SandboxServer

DIAL = """
import ctypes, errno, os, socket
from etlfabric_dagster.sandbox import network
from etlfabric_dagster.schemas.jobs import Warehouse, {kind}

os.setuid({uid})
ctypes.CDLL(None).prctl(4, 1)  # dumpable again, as a process is that was started by that user
warehouse = Warehouse(
    host="127.0.0.1", port={port}, database="d", username="u", password="p", owner_role="o",
    schema_prefix="t", socket_directory="/nowhere",
)
job = network.cut({kind}.model_validate({fields} | {{"warehouse": warehouse}}))
with socket.socket() as dialed:
    refused = dialed.connect_ex(("127.0.0.1", {port}))
print(job.warehouse.host, os.getuid(), errno.errorcode[refused])
"""
PROJECT = {"project": {"files": []}}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("TransformJob", PROJECT),
        ("PreviewJob", PROJECT | {"path": "x"}),
        ("QueryJob", {"sql": "x"}),
    ],
    ids=["build", "preview", "query"],
)
@pytest.mark.parametrize("uid", [0, 65534], ids=["root", "user"])
def test_child_of_dbt_cannot_open_a_connection(
    cluster: PostgresCluster, kind: str, fields: object, uid: int
) -> None:
    script = DIAL.format(kind=kind, fields=fields, port=cluster.port, uid=uid)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["/nowhere", str(uid), "ENETUNREACH"], done.stderr


def test_server_is_reached_by_its_socket_alone(
    install: Settings, sandbox: SandboxServer, cluster: PostgresCluster
) -> None:
    folder = install.database_socket_directory
    assert folder == cluster.socket_directory
    job = ReachJob(host="127.0.0.1", port=cluster.port, socket_directory=str(folder))
    assert sandbox.client.run(job).payload == {"tcp": False, "socket": True}


def test_query_comes_by_the_socket_where_there_is_one(
    sandbox: SandboxServer, reader: Warehouse
) -> None:
    def address(warehouse: Warehouse) -> object:
        job = QueryJob(warehouse=warehouse, sql="select inet_client_addr() is null as local")
        return sandbox.client.run(job).payload["rows"]

    assert reader.socket_directory
    assert address(reader) == [[True]]
    assert address(reader.model_copy(update={"socket_directory": None})) == [[False]]


def test_socket_of_another_server_is_not_taken(install: Settings) -> None:
    other = install.model_copy(update={"database_socket": install.home_dir})
    assert other.database_socket_directory is None
