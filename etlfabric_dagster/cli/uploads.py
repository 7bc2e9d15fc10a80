"""`etlfabric uploads …`"""

from __future__ import annotations

from pathlib import Path

import typer

from etlfabric_dagster import storage
from etlfabric_dagster.cli.output import AsJson, out, print_json, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.services import uploads

app = typer.Typer(help="Files of an org, for `uploads://` connections.", no_args_is_help=True)


@app.command()
def put(org: str, file: Path, as_json: AsJson = False) -> None:
    """Upload a file, replacing one of the same name."""
    try:
        content = file.open("rb")
    except OSError as exc:
        raise InvalidInputError(
            f"{file} cannot be read: {exc.strerror}.", "Check the path.", file=str(file)
        ) from exc
    with content:
        stored = scoped(org, lambda scope: uploads.put(scope, file.name, content))
    show(stored, as_json, lambda: f"Uploaded {stored.name}, {stored.size_bytes:,} bytes.")


@app.command("list")
def list_(org: str, as_json: AsJson = False) -> None:
    """All uploads of an org."""
    page = Page(items=tuple(scoped(org, uploads.list_uploads)))
    show_page(page, as_json, ("name", "size_bytes", "uploaded_at"), "No uploads yet.")


@app.command()
def delete(org: str, name: str, as_json: AsJson = False) -> None:
    """Remove an upload; what was loaded from it stays."""
    storage.check_upload_name(name)
    scoped(org, lambda scope: uploads.delete(scope, name))
    if as_json:
        print_json({"deleted": name})
    else:
        out.print(f"Deleted {name}; what was loaded from it stays.", highlight=False)
