"""`etlfabric credentials …` and `etlfabric bi-credentials`"""

from __future__ import annotations

from typing import Annotated

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.output import AsJson, out, print_json, show
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.services import connections, orgs
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="Encryption at rest.", no_args_is_help=True)


@app.command()
def rotate(as_json: AsJson = False) -> None:
    """Seal all stored secrets under the newest key. Resumable: say it again after a crash."""
    counts = run(connections.rotate_credentials(OPERATOR))
    if as_json:
        print_json(counts)
    else:
        text = f"{counts['rotated']} rotated, {counts['current']} were current already."
        out.print(text, highlight=False)


def bi_credentials(
    org: str,
    roll: Annotated[bool, typer.Option("--roll", help="New password, shown this once.")] = False,
    as_json: AsJson = False,
) -> None:
    """The org's stable read-only login for BI tools."""
    show(scoped(org, lambda scope: orgs.bi_credentials(scope, roll=roll)), as_json)
