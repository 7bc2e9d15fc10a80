"""`etlfabric`: one module per domain. Exit status 0 success, 1 refused or failed, 2 bad usage.

A module is imported when one of its commands is called: `etlfabric --help` takes a third of what
one command does.
"""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from etlfabric_dagster.cli.lazy import Deferred, lazy_group
from etlfabric_dagster.cli.output import print_error
from etlfabric_dagster.errors import FabricError

COMMANDS = {
    "up": Deferred(
        "stack",
        "up",
        "Start the whole stack; Ctrl-C stops it, unless it was started with --detach.",
    ),
    "down": Deferred("stack", "down", "Stop the stack, and whatever a killed one left behind."),
    "status": Deferred(
        "stack", "status", "Ask every process and every protection whether it works, now."
    ),
    "logs": Deferred("stack", "logs", "Print what a process wrote."),
    "worker": Deferred(
        "processes",
        "worker",
        "Execute runs, or interactive work, until SIGTERM; starts its own sandbox server.",
    ),
    "scheduler": Deferred(
        "processes",
        "scheduler",
        "Fire schedules and end what was lost, until SIGTERM.",
    ),
    "webserver": Deferred(
        "processes", "webserver", "Dagster's webserver for operators, until SIGTERM."
    ),
    "daemon": Deferred(
        "processes",
        "daemon",
        "Dagster's own daemon, until SIGTERM: only for backfills that launch many runs.",
    ),
    "usage": Deferred(
        "usage",
        "usage",
        "Rows, bytes and seconds by pipeline and day; 30 days until today by default.",
    ),
    "overview": Deferred(
        "usage", "overview", "What fails, what is late, what runs next, and how much was loaded."
    ),
    "lineage": Deferred(
        "data", "lineage", "What is made of what, from source to mart, and how each fares."
    ),
    "query": Deferred(
        "dbt_models",
        "query",
        "Query as the org's read-only login; search path marts, staging, raw.",
    ),
    "bi-credentials": Deferred(
        "credentials", "bi_credentials", "The org's stable read-only login for BI tools."
    ),
    "api": Deferred(
        "api", "api", "Serve the HTTP API alone, on ETLFABRIC_API_PORT; `etlfabric up` runs it too."
    ),
    "orgs": Deferred("orgs", "app", "Organisations."),
    "fleet": Deferred("fleet", "app", "All organisations of this install."),
    "users": Deferred("users", "app", "People and their tokens."),
    "members": Deferred("members", "app", "People of an org and their roles."),
    "tokens": Deferred("tokens", "app", "API tokens that open an org."),
    "audit": Deferred("audit", "app", "Who changed what."),
    "connectors": Deferred("connectors", "app", "Kinds of sources."),
    "connections": Deferred("connections", "app", "Configured sources of an org."),
    "uploads": Deferred("uploads", "app", "Files of an org, for `uploads://` connections."),
    "pipelines": Deferred("pipelines", "app", "What is loaded and transformed together."),
    "runs": Deferred("runs", "app", "Executions of pipelines."),
    "schedules": Deferred("schedules", "app", "When pipelines run."),
    "dbt-models": Deferred("dbt_models", "app", "An org's dbt models."),
    "data": Deferred("data", "app", "Tables of an org's data."),
    "alerts": Deferred("alerts", "app", "Who is told when a pipeline needs a look."),
    "quotas": Deferred("usage", "app", "What orgs may use."),
    "credentials": Deferred("credentials", "app", "Encryption at rest."),
    "db": Deferred("db", "app", "The platform's database."),
    "demo": Deferred("demo", "app", "The demo shop."),
}
"""In the order of `--help`. A test holds the lines of help against the commands' own."""

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


@app.callback()
def before_each() -> None:
    """ETL Fabric: data pipelines for many organisations from one install."""
    import_module("etlfabric_dagster.logs").configure("WARNING")


def main() -> None:
    """The entry point: every refusal is a message and a remedy, never a traceback."""
    try:
        app()
    except FabricError as exc:
        print_error(exc)
        sys.exit(1)
    except Exception as exc:
        error: FabricError | None = import_module("etlfabric_dagster.cli.unreachable").explain(exc)
        if error is None:
            raise
        print_error(error)
        sys.exit(1)
