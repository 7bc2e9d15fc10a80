"""`etlfabric`: one module per domain. Exit status 0 success, 1 refused or failed, 2 bad usage."""

from __future__ import annotations

import sys

import asyncpg
import typer
from sqlalchemy.exc import OperationalError

from etlfabric_dagster.cli import (
    alerts,
    api,
    connections,
    connectors,
    credentials,
    db,
    dbt_models,
    demo,
    orgs,
    pipelines,
    processes,
    runs,
    schedules,
    stack,
    uploads,
    usage,
    users,
)
from etlfabric_dagster.cli.output import print_error
from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import FabricError, StackError
from etlfabric_dagster.logs import configure

app = typer.Typer(
    help="ETL Fabric: data pipelines for many organisations from one install.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
stack.register(app)
processes.register(app)
app.add_typer(orgs.app, name="orgs")
app.add_typer(users.app, name="users")
app.add_typer(connectors.app, name="connectors")
app.add_typer(connections.app, name="connections")
app.add_typer(uploads.app, name="uploads")
app.add_typer(pipelines.app, name="pipelines")
app.add_typer(runs.app, name="runs")
app.add_typer(schedules.app, name="schedules")
app.add_typer(dbt_models.app, name="dbt-models")
app.add_typer(alerts.app, name="alerts")
usage.register(app)
app.command("query")(dbt_models.query)
app.command("bi-credentials")(credentials.bi_credentials)
app.add_typer(credentials.app, name="credentials")
api.register(app)
db.register(app)
demo.register(app)


def main() -> None:
    """The entry point: every refusal is a message and a remedy, never a traceback."""
    configure("WARNING")
    try:
        app()
    except FabricError as exc:
        print_error(exc)
        sys.exit(1)
    except (OSError, OperationalError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        print_error(_unreachable(exc))
        sys.exit(1)


def _unreachable(exc: Exception) -> FabricError:
    """The platform's database could not be used: where, and why."""
    try:
        where = settings.database.render_as_string(hide_password=True)
    except StackError as missing:
        return missing
    reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    return StackError(
        f"The platform database {where} cannot be used: {reason}.",
        "See whether the stack is up: etlfabric status. Start it: etlfabric up.",
        code="database_unreachable",
    )
