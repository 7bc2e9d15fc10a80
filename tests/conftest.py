"""Real servers for every test: one PostgreSQL and one Valkey per test process, one home, no
network.
"""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

_HOME = Path(tempfile.mkdtemp(prefix="etlfabric_test_"))
for _name in [name for name in os.environ if name.startswith("ETLFABRIC_")]:
    del os.environ[_name]
os.environ["ETLFABRIC_HOME"] = str(_HOME)  # before anything imports the settings
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # children would compile their imports every time

# A suite begun in the background ignores SIGINT, and Dagster, which maps SIGTERM to it, would have
# every server that is started after a job of its own ignore both.
signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # until all that stays is imported: see `pytest_collection_finish`

import asyncio  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import threading  # noqa: E402
from uuid import uuid4  # noqa: E402

import psycopg  # noqa: E402
import pytest  # noqa: E402
import redis.asyncio  # noqa: E402
from argon2 import PasswordHasher  # noqa: E402
from sqlalchemy import select  # noqa: E402

from etlfabric_dagster import queue  # noqa: E402
from etlfabric_dagster.config import INSTALL_FILE, Settings, reload_settings  # noqa: E402
from etlfabric_dagster.db import dispose, get_session, is_away  # noqa: E402
from etlfabric_dagster.embedded.bootstrap import bootstrap  # noqa: E402
from etlfabric_dagster.embedded.postgres import PostgresCluster  # noqa: E402
from etlfabric_dagster.models import InteractiveRequest  # noqa: E402
from etlfabric_dagster.schemas.jobs import Warehouse  # noqa: E402
from etlfabric_dagster.schemas.orgs import OrgOut  # noqa: E402
from etlfabric_dagster.security import passwords  # noqa: E402
from etlfabric_dagster.security.crypto import generate_key  # noqa: E402
from etlfabric_dagster.services import answers, migrations, orgs, tenants  # noqa: E402
from etlfabric_dagster.services.scope import OPERATOR, OrgScope, org_scope  # noqa: E402
from etlfabric_dagster.testing import (  # noqa: E402
    SandboxServer,
    ValkeyServer,
    postgres_cluster,
    sandbox_server,
    valkey_server,
)
from tests import folders  # noqa: E402

pytest_plugins = ("tests.scheduling",)
_TABLES = pytest.StashKey[tuple[PostgresCluster, ValkeyServer]]()
_EMPTY = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname = 'public'
      AND tablename NOT IN ('alembic_version', 'secondary_indexes', 'instance_info')
  LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
END $$
"""
_PLUGIN = """[etlfabric.connectors]
plugin = tests.test_sandbox.plugin:CONNECTOR
loader = tests.test_sandbox.loader:CONNECTOR
"""
PLATFORM_ROLE, PLATFORM_PASSWORD, PLATFORM_DATABASE = "etlfabric", "platform-pw", "etlfabric"


def pytest_collection_finish() -> None:
    """What is imported by now stays: the collector does not look through it again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _home() -> Iterator[Path]:
    yield _HOME
    folders.remove(_HOME)


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Passwords of this process cost a millisecond instead of fifty: hundreds are set and tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=1024))
        yield


@pytest.fixture(scope="session")
def cluster(_home: Path) -> Iterator[PostgresCluster]:
    """The PostgreSQL server of this test process."""
    _home.chmod(0o755)
    with postgres_cluster(_home / "postgres") as running:
        bootstrap(running.dsn(), PLATFORM_ROLE, PLATFORM_PASSWORD, PLATFORM_DATABASE)
        yield running


@pytest.fixture(scope="session")
def valkey(_home: Path) -> Iterator[ValkeyServer]:
    """The broker of this test process."""
    directory = _home / "valkey"
    directory.mkdir()
    with valkey_server(directory) as server:
        yield server


@pytest.fixture(scope="session")
def install(_home: Path, cluster: PostgresCluster, valkey: ValkeyServer) -> Settings:
    """Settings of an install on those servers; the database is empty."""
    database = (
        f"postgresql://{PLATFORM_ROLE}:{PLATFORM_PASSWORD}@127.0.0.1:{cluster.port}"
        f"/{PLATFORM_DATABASE}"
    )
    facts = {
        "database_url": database,
        "redis_url": valkey.url,
        "fernet_keys": generate_key(),
        "jwt_keys": generate_key(),
        "database_socket": str(cluster.socket_directory),
        "egress_allow": "127.0.0.0/8",  # tests' sources are on loopback; the platform's stay closed
    }
    (_home / INSTALL_FILE).write_text(json.dumps(facts))
    queue.reset()
    return reload_settings()


@pytest.fixture(scope="session")
def migrated(
    install: Settings,
    cluster: PostgresCluster,
    valkey: ValkeyServer,
    request: pytest.FixtureRequest,
) -> Settings:
    """The install with its tables."""
    migrations.upgrade_all()
    request.config.stash[_TABLES] = (cluster, valkey)
    return install


@pytest.fixture(scope="module", autouse=True)
def _nothing_of_other_files(request: pytest.FixtureRequest) -> None:
    """Each file begins with empty tables and an empty broker: none sees what another left."""
    servers = request.config.stash.get(_TABLES, None)
    if servers is None:
        return  # no file of this process has used them yet
    cluster, valkey = servers
    for database in (PLATFORM_DATABASE, f"{PLATFORM_DATABASE}_dagster"):
        with psycopg.connect(cluster.dsn(database), autocommit=True) as conn:
            conn.execute("SET session_replication_role = replica")  # in any order, audit events too
            conn.execute(_EMPTY)
    with redis.Redis.from_url(valkey.url) as broker:
        broker.flushall()


@pytest.fixture(scope="session")
def make_slug() -> Callable[[], str]:
    """Names that no other test of this process uses."""
    numbers = itertools.count(1)
    return lambda: f"org_{next(numbers)}"


@pytest.fixture
async def org(migrated: Settings, make_slug: Callable[[], str]) -> OrgOut:
    """A new org with its data plane."""
    slug = make_slug()
    return await orgs.create(OPERATOR, slug, slug.title())


@pytest.fixture
async def scope(org: OrgOut) -> AsyncIterator[OrgScope]:
    """An open transaction inside `org`, as operator."""
    async with org_scope(OPERATOR, org.slug) as opened:
        yield opened


@pytest.fixture
async def warehouse(org: OrgOut) -> Warehouse:
    """A pipeline login of `org`: what the sandbox is given to load and transform."""
    pipeline_id = uuid4()
    async with get_session() as session:
        await tenants.add_pipeline_login(session, org.id, pipeline_id)
        password = await tenants.rotate_pipeline_login(session, org.id, pipeline_id)
    return tenants.warehouse(org.id, tenants.pipeline_login(org.id, pipeline_id), password)


@pytest.fixture
async def reader(org: OrgOut) -> Warehouse:
    """The read-only login of `org`: what previews and queries are given."""
    return await tenants.reader_warehouse(org.id)


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Import path with the test connectors, found as any installed package's would be."""
    info = tmp_path_factory.mktemp("plugin") / "fabric_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fabric-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_PLUGIN)
    return info.parent, Path(__file__).parents[1]


@pytest.fixture(scope="session")
def sandbox(install: Settings, plugins: tuple[Path, Path]) -> Iterator[SandboxServer]:
    """The sandbox server of this test process, on the socket that the settings name."""
    directory = install.sandbox_path.parent
    directory.mkdir(parents=True, exist_ok=True)
    with sandbox_server(directory, plugins) as running:
        yield running


@pytest.fixture(scope="module")
def interactive_worker(
    migrated: Settings, sandbox: SandboxServer, valkey: ValkeyServer
) -> Iterator[None]:
    """Answers interactive requests as the Celery worker does, from a thread of this process."""
    stop = threading.Event()

    async def answer_until_stopped() -> None:
        async with redis.asyncio.Redis.from_url(valkey.url) as broker:
            while not stop.is_set():
                try:
                    await _answer_what_waits()
                except Exception as exc:
                    if not is_away(exc):  # tests cut connections; a worker outlives that
                        raise
                else:
                    await broker.blpop([queue.INTERACTIVE], timeout=0.5)
        await dispose()

    thread = threading.Thread(target=asyncio.run, args=(answer_until_stopped(),), daemon=True)
    thread.start()
    yield
    stop.set()
    with redis.Redis.from_url(valkey.url) as broker:
        broker.rpush(queue.INTERACTIVE, "stop")
    thread.join()


async def _answer_what_waits() -> None:
    async with get_session() as session:
        query = select(InteractiveRequest.id).where(InteractiveRequest.status == "queued")
        waiting = list(await session.scalars(query))
    for request_id in waiting:
        await answers.answer(request_id)


@pytest.fixture(scope="session")
def source_cluster(_home: Path) -> Iterator[PostgresCluster]:
    """A second PostgreSQL, for sources: the platform's own server is never one."""
    with postgres_cluster(_home / "source") as running:
        yield running


@pytest.fixture(scope="session")
def shop_source(source_cluster: PostgresCluster) -> tuple[dict[str, object], dict[str, str]]:
    """Config and secrets of a source with one table, `orders`, of ten rows."""
    with psycopg.connect(source_cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shop_source")
    with psycopg.connect(source_cluster.dsn("shop_source"), autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL);"
            "CREATE INDEX ON orders (updated_at);"
            "INSERT INTO orders SELECT g, now() FROM generate_series(1, 10) g; ANALYZE"
        )
    config = {
        "dialect": "postgresql",
        "host": "127.0.0.1",
        "port": source_cluster.port,
        "database": "shop_source",
        "username": "postgres",
    }
    return config, {"password": source_cluster.superuser_password}
