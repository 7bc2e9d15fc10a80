"""An attempt: claimed, run in Dagster, told; both agree on the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import dagster as dg
import psycopg
import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy import event as sql_events
from sqlalchemy.engine.interfaces import CacheStats
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster import aio, storage
from etlfabric_dagster.config import settings
from etlfabric_dagster.db import dispose, get_session
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.errors import ConnectorError, SandboxError
from etlfabric_dagster.models import Pipeline, Run, Stream
from etlfabric_dagster.orchestration import attempts, plans, records, repositories
from etlfabric_dagster.orchestration.agreement import agree
from etlfabric_dagster.orchestration.execution import execute_attempt
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.orchestration.publishing import encode
from etlfabric_dagster.orchestration.repositories import RepositoryCache
from etlfabric_dagster.orchestration.workspace import FabricProcessContext
from etlfabric_dagster.schemas.jobs import (
    DoneEvent,
    Event,
    ExtractJob,
    Job,
    LogEvent,
    NodeEvent,
    StreamEvent,
    TransformJob,
)
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.schemas.runs import (
    ErrorInfo,
    HeartbeatAnswer,
    LostAttempt,
    NodeResult,
    RunOut,
    RunSelection,
    RunStatus,
    StreamResult,
)
from etlfabric_dagster.schemas.streams import TableSchema
from etlfabric_dagster.services import build_leases, leases, runs, snapshots, tenants
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_orchestration.conftest import ID_COLUMN
from tests.test_orchestration.test_launcher import TERMINATE, launch
from tests.test_orchestration.test_workspace import graphql
from tests.test_services.ended_runs import empty_queue

Script = Callable[[Job], Iterator[Event]]


class ScriptedCall:
    """A sandbox call that says what a test wrote; closing it ends a script that waits."""

    def __init__(self, events: Iterator[Event], closed: threading.Event) -> None:
        self._events, self._closed = events, closed

    def __iter__(self) -> ScriptedCall:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        self._closed.set()


class ScriptedSandbox:
    """Stands for the sandbox's client: the engine has its own tests."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.jobs: list[Job] = []
        self.closed = threading.Event()

    def call(self, job: Job) -> ScriptedCall:
        self.jobs.append(job)
        self.closed.clear()
        return ScriptedCall(self._script(job), self.closed)


def table_of(table: str, stream: str) -> TableSchema:
    return TableSchema(table=table, stream=stream, columns=(ID_COLUMN,))


def loaded(job: ExtractJob, rows: int = 5) -> Iterator[Event]:
    for plan in job.streams:
        tables = (table_of(plan.table, plan.name),)
        result = StreamResult(rows=rows, bytes=rows * 8, seconds=0.1, tables=tables)
        yield StreamEvent(name=plan.name, result=result)
    yield DoneEvent(payload={"state": "c3RhdGU="})


def built(job: TransformJob, **status: str) -> Iterator[Event]:
    for unique_id in sorted(job.select, key=_in_dbts_order):
        kind, _, name = unique_id.split(".")[:3]
        good = "pass" if kind == "test" else "success"
        result = NodeResult(status=status.get(name, good), resource_type=kind)
        yield NodeEvent(unique_id=unique_id, name=name, result=result)
    yield DoneEvent(payload={"ok": True})


def _in_dbts_order(unique_id: str) -> tuple[bool, bool]:
    return unique_id.startswith("test."), "stg_" not in unique_id


def everything_works(job: Job) -> Iterator[Event]:
    yield LogEvent(message="hello from the sandbox")
    yield from loaded(job) if isinstance(job, ExtractJob) else built(job)  # type: ignore[arg-type]


@pytest.fixture
async def shop(published: OrgOut) -> OrgOut:
    """`published`, with the pipelines' logins, and loaded before: nothing of staging changes."""
    await empty_queue()
    async with org_scope(OPERATOR, published.slug) as scope:
        for pipeline_id in await scope.session.scalars(select(Pipeline.id)):
            await tenants.add_pipeline_login(scope.session, scope.org_id, pipeline_id)
        for stream in await scope.session.scalars(select(Stream)):
            stream.tables = [table_of(stream.table_name, stream.name).model_dump(mode="json")]
    return published


async def start(org: OrgOut, pipeline: str = "shop", **selection: Any) -> RunOut:
    async with org_scope(OPERATOR, org.slug) as scope:
        return await runs.start(scope, pipeline, selection=RunSelection(**selection))


async def show(org: OrgOut, run: RunOut) -> RunOut:
    async with org_scope(OPERATOR, org.slug) as scope:
        return await runs.get(scope, run.id)


@pytest.fixture(scope="session")
def fenced(instance: dg.DagsterInstance) -> dg.DagsterInstance:
    return attempts.fence_events(instance)


@pytest.fixture
def execute(fenced: dg.DagsterInstance) -> Callable[..., Any]:
    async def execute(run: RunOut, script: Script = everything_works) -> RunStatus | None:
        # in a thread, as a worker has no event loop: Dagster's steps run one of their own
        sandbox: Any = ScriptedSandbox(script)
        return await asyncio.to_thread(execute_attempt, run.id, "test", fenced, sandbox)

    return execute


def materialized(instance: dg.DagsterInstance, run_id: object) -> set[str]:
    logs = instance.all_logs(str(run_id), of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {"/".join(entry.dagster_event.asset_key.path[1:]) for entry in logs}


@retry(stop=stop_after_delay(20), wait=wait_fixed(0.02))
def wait_for_status(instance: dg.DagsterInstance, run: RunOut, status: dg.DagsterRunStatus) -> None:
    """Until Dagster shows it: its events are written behind the run."""
    shown = instance.get_run_by_id(str(run.id))
    assert shown
    assert shown.status is status


async def test_a_run_succeeds_in_both_with_its_rows_and_materializations(
    shop: OrgOut, instance: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    run = await start(shop)
    await execute(run)
    ended = await show(shop, run)
    assert ended.error is None
    assert (ended.status, ended.rows_loaded, ended.attempt) == ("succeeded", 10, 1)
    assert ended.models["daily_orders"].status == "success"
    dagster_run = instance.get_run_by_id(str(run.id))
    assert dagster_run
    assert dagster_run.status is dg.DagsterRunStatus.SUCCESS
    assert materialized(instance, run.id) == {
        "raw/shop__orders",
        "raw/shop__customers",
        "staging/stg_shop__orders",
        "staging/stg_shop__customers",
        "marts/daily_orders",
        "marts/regions",
    }
    key = dg.AssetKey([shop.slug, "raw", "shop__orders"])
    event = instance.get_latest_materialization_event(key)
    assert event
    assert event.asset_materialization.metadata["rows"].value == 5
    lines, _ = storage.read_log(shop.id, run.id)
    assert "hello from the sandbox" in [line.message for line in lines]


@contextmanager
def compiled_anew() -> Iterator[list[str]]:
    """The platform's statements that SQLAlchemy does not know from the time before."""
    found: list[str] = []

    def note(conn: Any, _cursor: Any, statement: str, _values: Any, context: Any, _: Any) -> None:
        known = context.compiled is None or context.cache_hit is CacheStats.CACHE_HIT
        if conn.dialect.driver == "asyncpg" and not known:
            found.append(statement)

    sql_events.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sql_events.remove(Engine, "before_cursor_execute", note)


async def test_no_statement_of_a_run_is_compiled_for_it(
    shop: OrgOut, execute: Callable[..., Any]
) -> None:
    for _ in range(2):  # the second reads what the first has left
        await execute(await start(shop))
    with compiled_anew() as found:
        assert await execute(await start(shop)) is RunStatus.SUCCEEDED
    once_per_build = "INSERT INTO dbt_build_leases"  # taken on a condition: ON CONFLICT alone can
    assert [one for one in found if not one.startswith(once_per_build)] == []


async def test_a_failed_stream_keeps_the_good_ones_and_leaves_the_marts(
    shop: OrgOut, instance: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    error = ErrorInfo(message="orders has no updated_at.", remedy="Choose a cursor.", code="cursor")

    def script(job: Job) -> Iterator[Event]:
        assert isinstance(job, ExtractJob), "the dbt step must not run"
        for event in loaded(job):
            if isinstance(event, StreamEvent) and event.name == "orders":
                event = StreamEvent(
                    name="orders", result=StreamResult(status="failed", error=error)
                )
            yield event

    run = await start(shop)
    assert await execute(run, script) is RunStatus.FAILED
    ended = await show(shop, run)
    assert ended.error
    assert ended.error.message == (
        "orders has no updated_at. 1 of 2 streams were loaded and are kept."
        " The dbt models were not rebuilt; their rows stay."
    )
    assert (ended.error.remedy, ended.error.code) == ("Choose a cursor.", "cursor")
    assert ended.streams["customers"].rows == 5
    assert materialized(instance, run.id) == {"raw/shop__customers"}
    assert instance.get_run_by_id(str(run.id)).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


async def test_a_source_that_refuses_fails_the_run_in_its_words(
    shop: OrgOut, execute: Callable[..., Any]
) -> None:
    def script(_: Job) -> Iterator[Event]:
        yield LogEvent(message="connecting")
        raise ConnectorError("db refused the login of reader.", "Check the password.")

    run = await start(shop)
    assert await execute(run, script) is RunStatus.FAILED
    ended = await show(shop, run)
    assert ended.error
    assert ended.error.message.startswith("db refused the login of reader.")
    assert ended.error.remedy == "Check the password."
    assert {s.status for s in ended.streams.values()} == {"failed"}


async def test_a_failed_dbt_test_fails_the_run_and_its_check(
    shop: OrgOut, instance: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    test = "unique_stg_shop__orders_id"
    said = "Test unique on stg_shop__orders.id failed: 17 rows do not pass."

    def script(job: Job) -> Iterator[Event]:
        if isinstance(job, ExtractJob):
            yield from loaded(job)
            return
        for event in built(job, daily_orders="skipped"):
            if isinstance(event, NodeEvent) and event.name == test:
                failed = NodeResult(
                    status="fail",
                    resource_type="test",
                    failures=17,
                    message=said,
                    compiled_sql="select 1",
                )
                event = event.model_copy(update={"result": failed})
            yield event

    run = await start(shop)
    assert await execute(run, script) is RunStatus.FAILED
    ended = await show(shop, run)
    assert ended.error
    assert ended.error.message == f"{said} daily_orders was not rebuilt."
    assert ended.models[test].compiled_sql == "select 1"
    checks = instance.all_logs(str(run.id), of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = {c.dagster_event.asset_check_evaluation_data.check_name: c for c in checks}
    evaluation = found[test].dagster_event.asset_check_evaluation_data
    assert not evaluation.passed
    assert evaluation.metadata["failures"].value == 17
    assert "marts/daily_orders" not in materialized(instance, run.id)


async def test_a_partial_run_does_only_its_part(
    shop: OrgOut, instance: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    run = await start(shop, streams=("orders",), models=())
    assert await execute(run) is RunStatus.SUCCEEDED
    assert materialized(instance, run.id) == {"raw/shop__orders"}
    run = await start(shop, streams=(), models=("daily_orders",))
    assert await execute(run) is RunStatus.SUCCEEDED
    assert materialized(instance, run.id) == {"marts/daily_orders"}


async def test_a_run_of_checks_only_builds_nothing(
    shop: OrgOut, instance: dg.DagsterInstance, execute: Callable[..., Any], manifest: Any
) -> None:
    (test,) = [uid for uid, n in manifest["nodes"].items() if n["name"] == "no_orphans"]
    run = await start(shop, streams=(), models=(), checks=(test,))
    assert await execute(run) is RunStatus.SUCCEEDED
    assert materialized(instance, run.id) == set()
    assert set((await show(shop, run)).models) == {"no_orphans"}


async def test_models_that_a_first_load_makes_possible_are_built_in_the_same_run(
    shop: OrgOut, instance: dg.DagsterInstance, execute: Callable[..., Any], manifest: Any
) -> None:
    async with org_scope(OPERATOR, shop.slug) as scope:
        from etlfabric_dagster.models import DbtManifest  # noqa: PLC0415

        known = (await scope.session.scalars(select(DbtManifest))).one()
        everything = known.selections["shop"]
        known.selections = {"shop": []}
        await scope.touch_config()
    await snapshots.publish(shop.id, encode)

    def script(job: Job) -> Iterator[Event]:
        if isinstance(job, ExtractJob):
            aio.run(_select_again(shop, everything))
        yield from everything_works(job)

    run = await start(shop)
    assert await execute(run, script) is RunStatus.SUCCEEDED
    assert "marts/daily_orders" in materialized(instance, run.id)
    assert (await show(shop, run)).models["daily_orders"].status == "success"


async def _select_again(org: OrgOut, nodes: list[str]) -> None:
    from etlfabric_dagster.models import DbtManifest  # noqa: PLC0415

    async with org_scope(OPERATOR, org.slug) as scope:
        known = (await scope.session.scalars(select(DbtManifest))).one()
        known.selections = {"shop": nodes}
        await scope.touch_config()


async def test_a_configuration_newer_than_the_published_one_is_published_first(
    shop: OrgOut, execute: Callable[..., Any]
) -> None:
    async with org_scope(OPERATOR, shop.slug) as scope:
        await scope.touch_config()
    before = await snapshots.state_of(shop.id)
    assert before.published < before.configured
    run = await start(shop)
    assert await execute(run) is RunStatus.SUCCEEDED
    after = await snapshots.state_of(shop.id)
    assert after.published == before.configured


async def test_a_running_run_is_canceled_in_both(shop: OrgOut, fenced: dg.DagsterInstance) -> None:
    reading = threading.Event()

    def script(job: Job) -> Iterator[Event]:
        yield LogEvent(message="reading")
        reading.set()
        assert sandbox.closed.wait(60), "nobody closed the call"
        raise SandboxError("The work was stopped.", code="sandbox_closed")

    sandbox = ScriptedSandbox(script)
    run = await start(shop)
    ends: list[RunStatus | None] = []
    worker = threading.Thread(
        target=lambda: ends.append(execute_attempt(run.id, "test", fenced, sandbox))  # type: ignore[arg-type]
    )
    worker.start()
    assert await asyncio.to_thread(reading.wait, 20)
    async with org_scope(OPERATOR, shop.slug) as scope:
        await runs.request_cancel(scope, run.id)
    await asyncio.to_thread(worker.join, 20)
    assert ends == [RunStatus.CANCELED]
    ended = await show(shop, run)
    assert (ended.status, ended.error) == ("canceled", None)
    dagster_run = fenced.get_run_by_id(str(run.id))
    assert dagster_run
    assert dagster_run.status is dg.DagsterRunStatus.CANCELED


async def test_a_run_canceled_before_its_first_step_is_canceled_in_both(
    shop: OrgOut,
    fenced: dg.DagsterInstance,
    execute: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = await start(shop)
    make = plans.make

    async def cancel() -> None:
        async with org_scope(OPERATOR, shop.slug) as scope:
            await runs.request_cancel(scope, run.id)

    def make_and_cancel(*arguments: Any) -> plans.Plan:
        plan = make(*arguments)
        aio.run(cancel())
        wait_for_status(fenced, run, dg.DagsterRunStatus.CANCELING)
        return plan

    monkeypatch.setattr(plans, "make", make_and_cancel)
    assert await execute(run) is RunStatus.CANCELED
    ended = await show(shop, run)
    assert (ended.status, ended.error) == ("canceled", None)
    dagster_run = fenced.get_run_by_id(str(run.id))
    assert dagster_run
    assert dagster_run.status is dg.DagsterRunStatus.CANCELED


async def test_a_run_canceled_after_its_last_heartbeat_is_canceled_in_both(
    shop: OrgOut,
    fenced: dg.DagsterInstance,
    execute: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def sees_no_cancel(*_: UUID) -> HeartbeatAnswer:
        return HeartbeatAnswer(alive=True)

    async def cancel() -> None:
        async with org_scope(OPERATOR, shop.slug) as scope:
            await runs.request_cancel(scope, run.id)

    def cancels(job: Job) -> Iterator[Event]:
        aio.run(cancel())
        yield from everything_works(job)

    monkeypatch.setattr(leases, "heartbeat", sees_no_cancel)
    run = await start(shop)
    assert await execute(run, cancels) is RunStatus.CANCELED
    ended = await show(shop, run)
    assert (ended.status, ended.error, ended.rows_loaded > 0) == ("canceled", None, True)
    assert fenced.get_run_by_id(str(run.id)).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]
    lines, _ = await asyncio.to_thread(storage.read_log, shop.id, run.id)
    assert "canceled" in lines[-1].message


async def test_a_worker_that_lost_its_lease_stops_and_leaves_no_word(
    shop: OrgOut, instance: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    reading = threading.Event()

    def script(job: Job) -> Iterator[Event]:
        yield LogEvent(message="reading")
        reading.set()
        assert sandbox.closed.wait(60), "nobody closed the call"
        raise SandboxError("The work was stopped.", code="sandbox_closed")

    sandbox = ScriptedSandbox(script)
    run = await start(shop)
    ends: list[RunStatus | None] = []
    worker = threading.Thread(
        target=lambda: ends.append(execute_attempt(run.id, "frozen", instance, sandbox))  # type: ignore[arg-type]
    )
    worker.start()
    assert await asyncio.to_thread(reading.wait, 20)
    lost: list[LostAttempt] = []
    async with asyncio.timeout(60):
        while not lost:  # a heartbeat that comes in between holds the lease once more
            async with get_session() as session:
                past = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, 1)
                statement = update(Run).where(Run.id == run.id).values(lease_until=past)
                await session.execute(statement)
            lost = await leases.expire_leases()
    with open_instance(settings) as reconciler:  # in a process of its own, hence not fenced
        for attempt in lost:
            records.end_lost(reconciler, attempt)
    await asyncio.to_thread(worker.join, 60)
    assert ends == [None]
    stopped = instance.get_run_by_id(str(run.id))
    assert stopped
    assert stopped.status is dg.DagsterRunStatus.FAILURE
    assert await execute(run) is RunStatus.SUCCEEDED
    ended = await show(shop, run)
    assert [a.status for a in ended.attempts] == ["lost", "succeeded"]
    again = instance.get_run_by_id(str(ended.attempts[1].dagster_run_id))
    assert again
    assert again.root_run_id == str(run.id)
    assert instance.get_run_by_id(str(run.id)).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


async def test_an_unforeseen_error_ends_the_run_with_a_reference(
    shop: OrgOut, execute: Callable[..., Any]
) -> None:
    def script(_: Job) -> Iterator[Event]:
        yield LogEvent(message="x")
        raise ZeroDivisionError("secret details")

    run = await start(shop)
    assert await execute(run, script) is RunStatus.FAILED
    ended = await show(shop, run)
    assert ended.error
    assert "secret details" not in ended.error.message
    assert "did not expect" in ended.error.message


async def test_a_pipeline_with_nothing_to_run_says_so(
    shop: OrgOut, execute: Callable[..., Any]
) -> None:
    async with org_scope(OPERATOR, shop.slug) as scope:
        scope.session.add(
            Pipeline(name="empty", table_prefix="", schema_policy="evolve", models="nothing")
        )
        await scope.touch_config()
    run = await start(shop, "empty")
    assert await execute(run) is RunStatus.FAILED
    ended = await show(shop, run)
    assert ended.error
    assert "nothing to run" in ended.error.message


async def test_nothing_is_claimed_twice(shop: OrgOut, execute: Callable[..., Any]) -> None:
    run = await start(shop)
    assert await execute(run) is RunStatus.SUCCEEDED
    await execute(run)  # at most a run that another test left
    assert (await show(shop, run)).attempt == 1


async def test_a_run_that_dagster_launched_is_executed_as_that_dagster_run(
    shop: OrgOut, fenced: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    with FabricProcessContext(fenced) as context:
        answer = await launch(context, shop, "__ASSET_JOB", "raw/shop__orders")
    run_id = answer["run"]["runId"]
    async with org_scope(OPERATOR, shop.slug) as scope:
        run = await runs.get(scope, UUID(run_id))
    assert await execute(run) is RunStatus.SUCCEEDED
    assert materialized(fenced, run_id) == {"raw/shop__orders"}
    ended = fenced.get_run_by_id(run_id)
    assert ended
    assert ended.status is dg.DagsterRunStatus.SUCCESS


async def test_a_run_marked_as_canceled_in_dagster_is_not_executed(
    shop: OrgOut, fenced: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    with FabricProcessContext(fenced) as context:
        run_id = (await launch(context, shop, "shop"))["run"]["runId"]
    fenced.report_run_canceled(fenced.get_run_by_id(run_id))  # type: ignore[arg-type]
    async with org_scope(OPERATOR, shop.slug) as scope:
        run = await runs.get(scope, UUID(run_id))
    assert await execute(run) is RunStatus.CANCELED
    assert (await show(shop, run)).status == "canceled"
    assert materialized(fenced, run_id) == set()


async def test_forcing_the_end_of_a_running_run_cancels_ours_too(
    shop: OrgOut, fenced: dg.DagsterInstance
) -> None:
    reading = threading.Event()

    def script(_: Job) -> Iterator[Event]:
        yield LogEvent(message="reading")
        reading.set()
        assert sandbox.closed.wait(60), "nobody closed the call"
        raise SandboxError("The work was stopped.", code="sandbox_closed")

    sandbox = ScriptedSandbox(script)
    run = await start(shop)
    ends: list[RunStatus | None] = []
    worker = threading.Thread(
        target=lambda: ends.append(execute_attempt(run.id, "test", fenced, sandbox))  # type: ignore[arg-type]
    )
    worker.start()
    assert await asyncio.to_thread(reading.wait, 20)
    await asyncio.to_thread(wait_for_status, fenced, run, dg.DagsterRunStatus.STARTED)
    with FabricProcessContext(fenced) as context:
        asked = graphql(context, TERMINATE, run=str(run.id), policy="MARK_AS_CANCELED_IMMEDIATELY")
        answer = await asyncio.to_thread(asyncio.run, asked)
    assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess", answer
    await asyncio.to_thread(worker.join, 60)
    assert ends == [RunStatus.CANCELED]
    assert (await show(shop, run)).status == "canceled"
    await asyncio.to_thread(agree, fenced, 60)
    assert fenced.get_run_by_id(str(run.id)).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]


async def test_an_end_forced_before_the_start_is_written_is_not_undone_by_it(
    shop: OrgOut, fenced: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dg.DagsterRunStatus] = []
    make = plans.make

    def made_and_forced(*given: Any) -> plans.Plan:
        plan = make(*given)
        with open_instance(settings) as webserver:
            webserver.report_run_canceled(plan.run)
        return plan

    def script(_: Job) -> Iterator[Event]:
        yield LogEvent(message="reading")
        shown.append(fenced.get_run_by_id(str(run.id)).status)  # type: ignore[union-attr]
        agree(fenced, 60)
        assert sandbox.closed.wait(60), "nobody closed the call"
        raise SandboxError("The work was stopped.", code="sandbox_closed")

    monkeypatch.setattr(plans, "make", made_and_forced)
    sandbox: Any = ScriptedSandbox(script)
    run = await start(shop)
    ended = await asyncio.to_thread(execute_attempt, run.id, "test", fenced, sandbox)
    assert shown == [dg.DagsterRunStatus.CANCELED]
    assert ended is RunStatus.CANCELED
    assert (await show(shop, run)).status == "canceled"
    assert fenced.get_run_by_id(str(run.id)).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]


async def test_a_run_that_waits_for_another_dbt_build_is_canceled(
    shop: OrgOut, fenced: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    async with org_scope(OPERATOR, shop.slug) as scope:
        other = await runs.start(scope, "crm")
    builder = await leases.claim(other.id, "builds")
    assert builder
    assert await build_leases.acquire(builder)
    run = await start(shop)
    ending = asyncio.create_task(execute(run))

    async def waits() -> bool:
        lines, _ = await asyncio.to_thread(storage.read_log, shop.id, run.id)
        return any("another dbt build" in line.message for line in lines)

    while not await waits():
        assert not ending.done(), await show(shop, run)
    async with org_scope(OPERATOR, shop.slug) as scope:
        await runs.request_cancel(scope, run.id)
    assert await ending is RunStatus.CANCELED
    assert (await show(shop, run)).status == "canceled"
    assert fenced.get_run_by_id(str(run.id)).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]
    await leases.finish(builder.run_id, builder.token, RunStatus.FAILED, None)


async def test_an_attempt_whose_database_went_away_leaves_its_run_to_the_next(
    shop: OrgOut,
    fenced: dg.DagsterInstance,
    execute: Callable[..., Any],
    cluster: PostgresCluster,
) -> None:
    def cut(job: Job) -> Iterator[Event]:
        if isinstance(job, ExtractJob):
            yield LogEvent(message="the database restarts")
            with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
                conn.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE usename = %s AND pid <> pg_backend_pid()",
                    (settings.database.username,),
                )
        yield from everything_works(job)

    run = await start(shop)
    assert await execute(run, cut) in (None, RunStatus.SUCCEEDED)
    await dispose()  # ours were cut too
    async with get_session() as session:
        past = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, 1)
        expired = update(Run).where(Run.id == run.id, Run.status == "running")
        await session.execute(expired.values(lease_until=past))
    await leases.expire_leases()
    if not (await show(shop, run)).status.is_final:
        assert await execute(run) is RunStatus.SUCCEEDED
    ended = await show(shop, run)
    assert (ended.status, ended.error) == ("succeeded", None)
    await asyncio.to_thread(agree, fenced, 60)
    for attempt in ended.attempts:
        record = fenced.get_run_by_id(str(attempt.dagster_run_id))
        assert record
        wanted = "SUCCESS" if attempt.status == "succeeded" else "FAILURE"
        assert record.status.value == wanted


async def test_a_lost_run_that_waits_for_its_next_attempt_is_canceled_at_once(
    shop: OrgOut, fenced: dg.DagsterInstance
) -> None:
    run = await start(shop)
    claimed = await leases.claim(run.id, "dies")
    assert claimed
    assert claimed.run_id == run.id
    await leases.release(["dies"])
    async with org_scope(OPERATOR, shop.slug) as scope:
        canceled = await runs.request_cancel(scope, run.id)
    assert canceled.status == "canceled"
    ended = await show(shop, run)
    assert [a.status for a in ended.attempts] == ["lost"]


REEXECUTE = """mutation($params: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $params) { __typename
    ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


async def test_re_executing_is_a_new_run_of_all_that_the_first_did(
    shop: OrgOut, fenced: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    first = await start(shop)
    assert await execute(first) is RunStatus.SUCCEEDED
    params = {"parentRunId": str(first.id), "strategy": "ALL_STEPS"}
    with FabricProcessContext(fenced) as context:
        asked = graphql(context, REEXECUTE, params=params)
        answer = (await asyncio.to_thread(asyncio.run, asked))["launchRunReexecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    async with org_scope(OPERATOR, shop.slug) as scope:
        again = await runs.get(scope, UUID(answer["run"]["runId"]))
    assert again.id != first.id
    assert again.selection == RunSelection()
    assert await execute(again) is RunStatus.SUCCEEDED
    assert materialized(fenced, again.id) == materialized(fenced, first.id)


async def test_re_executing_from_the_failure_runs_only_what_failed_as_a_new_run(
    shop: OrgOut, fenced: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    def script(job: Job) -> Iterator[Event]:
        done = isinstance(job, ExtractJob)
        yield from loaded(job) if done else built(job, daily_orders="error")  # type: ignore[arg-type]

    first = await start(shop)
    assert await execute(first, script) is RunStatus.FAILED
    params = {"parentRunId": str(first.id), "strategy": "FROM_FAILURE"}
    with FabricProcessContext(fenced) as context:
        asked = graphql(context, REEXECUTE, params=params)
        answer = (await asyncio.to_thread(asyncio.run, asked))["launchRunReexecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    async with org_scope(OPERATOR, shop.slug) as scope:
        again = await runs.get(scope, UUID(answer["run"]["runId"]))
    assert again.selection.streams == ()
    assert await execute(again) is RunStatus.SUCCEEDED
    made = materialized(fenced, again.id)
    assert "marts/daily_orders" in made
    assert not any(path.startswith("raw/") for path in made)


def unchanged(job: Job) -> Iterator[Event]:
    assert isinstance(job, ExtractJob), "the dbt step must not run"
    for plan in job.streams:
        yield StreamEvent(name=plan.name, result=StreamResult(status="unchanged"))
    yield DoneEvent(payload={"state": "c3RhdGU="})


def nothing_new(job: Job) -> Iterator[Event]:
    yield from unchanged(job) if isinstance(job, ExtractJob) else built(job)  # type: ignore[arg-type]


async def test_a_run_without_anything_new_materializes_its_streams_and_builds_nothing(
    shop: OrgOut, fenced: dg.DagsterInstance, execute: Callable[..., Any]
) -> None:
    assert await execute(await start(shop)) is RunStatus.SUCCEEDED
    run = await start(shop)
    assert await execute(run, unchanged) is RunStatus.SUCCEEDED
    assert (await show(shop, run)).models == {}
    assert "raw/shop__orders" in materialized(fenced, run.id)
    said = [line.message for line in storage.read_log(shop.id, run.id)[0]]
    assert any("up to date" in message for message in said)


async def test_what_a_lost_worker_loaded_is_built_by_the_next_attempt_without_anything_new(
    shop: OrgOut, execute: Callable[..., Any]
) -> None:
    assert await execute(await start(shop)) is RunStatus.SUCCEEDED
    run = await start(shop)
    assert await leases.claim(run.id, "dies")  # its sandbox may have loaded all before it died
    await leases.release(["dies"])
    assert await execute(run, nothing_new) is RunStatus.SUCCEEDED
    assert (await show(shop, run)).models["daily_orders"].status == "success"


async def test_a_run_whose_job_was_run_before_has_the_job_of_its_published_version(
    shop: OrgOut,
    fenced: dg.DagsterInstance,
    execute: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    published = encode(await snapshots.build(shop.id)).job_ids["shop"]
    for _ in range(2):
        monkeypatch.setattr(repositories, "cache", RepositoryCache())  # as another process has it
        run = await start(shop)
        assert await execute(run) is RunStatus.SUCCEEDED
        record = fenced.get_run_by_id(str(run.id))
        assert record
        assert record.job_snapshot_id == published
        assert fenced.get_job_snapshot(published).name == "shop"


async def test_what_a_failed_build_left_is_built_by_the_next_run_without_anything_new(
    shop: OrgOut, execute: Callable[..., Any]
) -> None:
    def fails(job: Job) -> Iterator[Event]:
        done = isinstance(job, ExtractJob)
        yield from loaded(job) if done else built(job, daily_orders="error")  # type: ignore[arg-type]

    assert await execute(await start(shop), fails) is RunStatus.FAILED
    run = await start(shop)
    assert await execute(run, nothing_new) is RunStatus.SUCCEEDED
    assert (await show(shop, run)).models["daily_orders"].status == "success"
