"""`etlfabric runs …`"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from etlfabric_dagster import storage
from etlfabric_dagster.cli.output import AsJson, err, out, print_json, print_rows, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.schemas.runs import LogLine, RunOut, RunSelection, RunStatus, Trigger
from etlfabric_dagster.services import runs

app = typer.Typer(help="Executions of pipelines.", no_args_is_help=True)

LOOK_S = 0.2


@app.command()
def start(
    org: str,
    pipeline: str,
    full_refresh: Annotated[
        list[str] | None, typer.Option(help="Stream to load again from the start; repeatable.")
    ] = None,
    streams: Annotated[
        list[str] | None, typer.Option("--stream", help="Load only this stream; repeatable.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a run. With --wait, exit status 1 unless it succeeds."""
    selection = RunSelection(
        streams=tuple(streams) if streams else None, full_refresh=tuple(full_refresh or ())
    )
    run = scoped(org, lambda scope: runs.start(scope, pipeline, selection=selection))
    _after_start(org, run, wait, as_json)


@app.command("list")
def list_(
    org: str,
    pipeline: Annotated[str | None, typer.Option()] = None,
    status: Annotated[RunStatus | None, typer.Option()] = None,
    trigger: Annotated[Trigger | None, typer.Option(help="What started them.")] = None,
    cursor: str | None = None,
    as_json: AsJson = False,
) -> None:
    """Runs, newest first."""
    page = scoped(
        org,
        lambda scope: runs.list_runs(
            scope, pipeline=pipeline, status=status, trigger=trigger, cursor=cursor
        ),
    )
    columns = ("id", "pipeline", "status", "trigger", "rows_loaded", "created_at", "duration_s")
    show_page(page, as_json, columns, "No runs yet.")


@app.command("show")
def show_(org: str, run: UUID, as_json: AsJson = False) -> None:
    """One run: streams, dbt models, attempts, error."""
    found = scoped(org, lambda scope: runs.get(scope, run))
    if as_json:
        print_json(found)
    else:
        print_run(found)


@app.command()
def logs(
    org: str,
    run: UUID,
    follow: Annotated[bool, typer.Option("--follow", help="Until the run has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """The run's log, oldest line first."""
    for line in _log_lines(org, run, follow):
        if as_json:
            print_json(line)
        else:
            subject = f" {line.subject}" if line.subject else ""
            stamp = line.at.strftime("%H:%M:%S.%f")[:-3]
            out.print(
                f"{stamp} {line.level:7}{subject}  {line.message}", highlight=False, markup=False
            )


@app.command()
def cancel(org: str, run: UUID, as_json: AsJson = False) -> None:
    """Cancel a queued or running run; what it has committed stays."""
    found = scoped(org, lambda scope: runs.request_cancel(scope, run))
    show(found, as_json, lambda: f"Run {run} is {_cancel_word(found)}.")


@app.command()
def retry(
    org: str,
    run: UUID,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the same again as a new run."""
    _after_start(org, scoped(org, lambda scope: runs.retry(scope, run)), wait, as_json)


def print_run(run: RunOut) -> None:
    """A run for people."""
    out.print(_headline(run), highlight=False, markup=False)
    if run.streams:
        rows = [
            (name, s.status, s.rows, s.bytes, s.seconds, "; ".join(s.warnings) or None)
            for name, s in run.streams.items()
        ]
        print_rows(("stream", "status", "rows", "bytes", "seconds", "warnings"), rows)
    if run.models:
        nodes = [(name, m.status, m.seconds, m.message) for name, m in run.models.items()]
        print_rows(("dbt model or test", "status", "seconds", "message"), nodes)
    if run.error:
        err.print(run.error.message, style="red", highlight=False, markup=False)
        err.print(run.error.remedy, highlight=False, markup=False)


def _after_start(org: str, run: RunOut, wait: bool, as_json: bool) -> None:
    if wait:
        run = _wait(org, run)
    if as_json:
        print_json(run)
    elif wait:
        print_run(run)
    else:
        out.print(f"Run {run.id} is {run.status}.", highlight=False)
    if wait and run.status is not RunStatus.SUCCEEDED:
        raise typer.Exit(1)


def _wait(org: str, run: RunOut) -> RunOut:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as progress:
        task = progress.add_task("queued")
        while not run.status.is_final:
            time.sleep(LOOK_S)
            run = _look(org, run.id)
            done = sum(s.status != "running" for s in run.streams.values())
            rows = sum(s.rows for s in run.streams.values())
            text = f"{run.status}: {done} streams loaded, {rows:,} rows, {len(run.models)} built"
            progress.update(task, description=text)
    return run


def _look(org: str, run_id: UUID) -> RunOut:
    return scoped(org, lambda scope: runs.get(scope, run_id))


def _log_lines(org: str, run_id: UUID, follow: bool) -> Iterator[LogLine]:
    position, final = "", False
    while True:
        run = _look(org, run_id)
        org_id = scoped(org, _org_id)
        lines, position = storage.read_log(org_id, run_id, after=position)
        yield from lines
        if final or not follow:
            return
        final = run.status.is_final
        if not final:
            time.sleep(LOOK_S)


async def _org_id(scope: runs.OrgScope) -> UUID:
    return scope.org_id


def _headline(run: RunOut) -> str:
    took = f" in {run.duration_s:.1f} s" if run.duration_s is not None else ""
    return (
        f"Run {run.id} of {run.pipeline}: {run.status}{took}, {run.rows_loaded:,} rows loaded,"
        f" attempt {run.attempt} of {run.max_attempts}, started by {run.trigger}"
    )


def _cancel_word(run: RunOut) -> str:
    return "canceled" if run.status is RunStatus.CANCELED else "being canceled"
