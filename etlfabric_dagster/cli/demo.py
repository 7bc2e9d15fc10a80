"""`etlfabric demo …`"""

from __future__ import annotations

from typing import Annotated

import typer

from etlfabric_dagster import demo
from etlfabric_dagster.cli.output import AsJson, err, out, print_json

app = typer.Typer(help="The demo shop.", no_args_is_help=True)


@app.command()
def load(as_json: AsJson = False) -> None:
    """Create org `demo`, or let its shop take orders and load them. `up` does it too."""
    with err.status("Loading the demo …") as status:
        demo.load(lambda step: status.update(f"{step} …"))
    if as_json:
        print_json({"org": demo.SLUG})
    else:
        out.print("The demo is loaded. Look: etlfabric runs list demo", highlight=False)


@app.command("add-orders")
def add_orders(
    count: Annotated[int, typer.Option(min=1, max=10_000)] = demo.NEW_ORDERS,
    as_json: AsJson = False,
) -> None:
    """Let the shop take orders; the next run finds them."""
    added = demo.add_orders(count)
    if as_json:
        print_json({"added": added})
    else:
        text = f"{added} new orders. Load them: etlfabric runs start demo shop --wait"
        out.print(text, highlight=False)
