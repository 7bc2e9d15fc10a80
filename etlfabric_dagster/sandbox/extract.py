"""Extract: the streams of one pipeline, each loaded on its own, so that one cannot stop another."""

from __future__ import annotations

import os
import tempfile
import time
from copy import deepcopy
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.errors import FabricError, SandboxError
from etlfabric_dagster.sandbox import catalog, extract_changes, extract_errors
from etlfabric_dagster.sandbox.destination import LoadPlan, TenantPostgres
from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.sandbox.extract_state import LoadPipeline, PackedState, open_pipeline
from etlfabric_dagster.sandbox.extract_stream import StreamLoad, raw_key
from etlfabric_dagster.sandbox.rehearsal import rehearse_login
from etlfabric_dagster.schemas.jobs import (
    ExtractJob,
    LogEvent,
    ProgressEvent,
    StreamEvent,
    Warehouse,
)
from etlfabric_dagster.schemas.runs import ErrorInfo, StreamResult
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan

DLT_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",  # what fails is told once, as the stream's error
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",  # gzip was the largest item of a load
    "SOURCES__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "LOAD__RAISE_ON_MAX_RETRIES": "2",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
}
_FENCED = ("28P01", "28000", "57P01")  # another attempt owns the login now


def warm() -> None:
    """Import what a load imports lazily, without any connection to others."""
    rehearse_login()
    import_module("dlt.common.libs.sql_alchemy_compat")  # SQLAlchemy: it writes a login's text
    os.environ.update(DLT_SETTINGS)
    registry.warm()
    nowhere = Warehouse(
        host="127.0.0.1",
        port=1,
        database="x",
        username="x",
        password="x",  # noqa: S106 - nobody is dialled
        owner_role="x",
        schema_prefix="x",
    )
    with tempfile.TemporaryDirectory() as folder:
        pipeline = LoadPipeline.without_destination(Path(folder), TenantPostgres(LoadPlan(nowhere)))
        pipeline.extract([{"id": 1, "tags": [{"name": "a"}]}], table_name="x")
        pipeline.normalize()
        pipeline.deactivate()


def extract(job: ExtractJob, emit: Emit, workdir: str) -> dict[str, Any]:
    """Load the job's streams. Payload: `{"state", "rows", "failed": [stream]}`.

    A failed stream is a `StreamEvent`; only what concerns all of them raises.
    """
    os.environ.update(DLT_SETTINGS)
    try:
        with catalog.connect(job.warehouse) as conn:
            return Extraction(job, emit, workdir, conn).run()
    except psycopg.OperationalError as exc:
        raise SandboxError(
            "The warehouse does not answer, or refused this attempt's login.",
            "Try again; if it repeats, ask an operator to look at the database.",
            code="warehouse_unreachable",
        ) from exc


class Extraction:
    """One run of one pipeline."""

    def __init__(self, job: ExtractJob, emit: Emit, workdir: str, conn: psycopg.Connection) -> None:
        self._job, self._emit, self._conn = job, emit, conn
        self._files = Path(workdir) / "files"
        self._files.mkdir()
        self._folder = Path(workdir) / "dlt"
        self._connector = registry.get(job.source.connector)
        self._plan = LoadPlan(job.warehouse)
        known = PackedState.read(job.pipeline, job.state)
        self._packed = job.state if known else None
        self._known: PackedState | LoadPipeline = known or self._pipeline
        self._tables = catalog.read_tables(
            conn, job.warehouse.raw, [stream.table for stream in job.streams]
        )
        self._rows = 0
        self._failed: list[str] = []

    def run(self) -> dict[str, Any]:
        """Probe, then load one stream after the other."""
        unchanged = self._unchanged()
        for stream in self._job.streams:
            if stream.name in unchanged:
                self._end(stream, self._unchanged_result(stream))
            else:
                self._end(stream, self._load(stream))
        state = self._packed or self._pipeline.pack()
        return {"state": state, "rows": self._rows, "failed": self._failed}

    @cached_property
    def _pipeline(self) -> LoadPipeline:
        """Opened when a stream is loaded, or nothing is known of the last load."""
        return self._open()

    def _open(self) -> LoadPipeline:
        return open_pipeline(
            self._job.pipeline,
            self._folder,
            TenantPostgres(self._plan),
            self._job.warehouse.raw,
            self._packed,
        )

    def _unchanged(self) -> set[str]:
        """Streams of which the source has no new row: they never enter dlt."""
        known = self._known.families(stream.table for stream in self._job.streams)
        cursors = {
            stream.name: cursor
            for stream in self._job.streams
            if self._may_be_unchanged(stream, known[stream.table])
            and (cursor := self._cursor(stream)) is not None
        }
        if not cursors:
            return set()
        streams = [stream for stream in self._job.streams if stream.name in cursors]
        changed = self._connector.probe(self._job.source, streams, deepcopy(cursors))
        return set(cursors) - changed

    def _may_be_unchanged(self, stream: StreamPlan, known: list[str]) -> bool:
        by_cursor = stream.mode in (LoadMode.INCREMENTAL, LoadMode.APPEND, LoadMode.MERGE)
        complete = bool(known) and all(table in self._tables for table in known)
        plain = bool(stream.cursor) and not stream.lag_s and not stream.full_refresh
        return by_cursor and plain and complete

    def _cursor(self, stream: StreamPlan) -> Any:
        own = self._known.own_state["connector"].get(stream.name)
        return own if own is not None else self._known.last_values(stream.table)

    def _unchanged_result(self, stream: StreamPlan) -> StreamResult:
        tables = catalog.family(self._tables, stream.table)
        key = raw_key(self._connector, stream)
        described = extract_changes.describe(stream, tables, key, self._known.parent_of)
        return StreamResult(status="unchanged", tables=described)

    def _load(self, stream: StreamPlan) -> StreamResult:
        started = time.monotonic()
        load = self._stream_load(stream)
        try:
            result = load.run()
        except MemoryError:
            raise
        except Exception as exc:
            return self._failure(load, exc, time.monotonic() - started)
        self._packed = self._pipeline.pack()
        return result

    def _stream_load(self, stream: StreamPlan) -> StreamLoad:
        return StreamLoad(
            job=self._job,
            plan=stream,
            connector=self._connector,
            pipeline=self._pipeline,
            load_plan=self._plan,
            conn=self._conn,
            before=catalog.family(self._tables, stream.table),
            workdir=str(self._files),
            on_progress=lambda rows: self._emit(ProgressEvent(stream=stream.name, rows=rows)),
        )

    def _failure(self, load: StreamLoad, exc: Exception, seconds: float) -> StreamResult:
        """Forget the stream's half-done package; what others committed stays."""
        if self._conn.broken or getattr(exc, "sqlstate", None) in _FENCED:
            raise exc
        error = extract_errors.explain(load.plan.name, exc)
        self._pipeline.deactivate()
        self._pipeline = self._open()
        return StreamResult(
            status="failed",
            seconds=round(seconds, 3),
            warnings=tuple(load.warnings),
            error=_info(error),
        )

    def _end(self, stream: StreamPlan, result: StreamResult) -> None:
        self._rows += result.rows
        if result.error:
            self._failed.append(stream.name)
            self._log("error", stream, f"{result.error.message} {result.error.remedy}")
        for warning in result.warnings:
            self._log("warning", stream, warning)
        self._emit(StreamEvent(name=stream.name, result=result))

    def _log(self, level: str, stream: StreamPlan, message: str) -> None:
        self._emit(LogEvent(level=level, message=message, subject=stream.name))


def _info(error: FabricError) -> ErrorInfo:
    return ErrorInfo(message=error.message, remedy=error.remedy, code=error.code, where=error.where)
