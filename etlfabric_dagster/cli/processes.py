"""`etlfabric worker | scheduler | webserver | daemon`: one process, for stacks of many hosts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from etlfabric_dagster.embedded import foreground


class Queue(StrEnum):
    RUNS = "runs"
    INTERACTIVE = "interactive"


def worker(
    queue: Annotated[Queue, typer.Option(help="runs, or what people wait for.")] = Queue.RUNS,
    slots: Annotated[
        int | None, typer.Option(min=1, help="How much at a time; ETLFABRIC_WORKERS by default.")
    ] = None,
) -> None:
    """Execute runs, or interactive work, until SIGTERM; starts its own sandbox server."""
    foreground.load("worker").main(queue.value, slots)


def scheduler() -> None:
    """Fire schedules and end what was lost, until SIGTERM. Any number may run."""
    foreground.run("scheduler")


def webserver() -> None:
    """Dagster's webserver for operators, until SIGTERM."""
    foreground.run("webserver")


def daemon() -> None:
    """Dagster's own daemon, until SIGTERM: only for backfills that launch many runs."""
    foreground.run("daemon")
