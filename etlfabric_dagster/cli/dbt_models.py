"""`etlfabric dbt-models …` and `etlfabric query`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.files import read_text
from etlfabric_dagster.cli.output import AsJson, err, out, print_json, print_rows, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.dbt_models import DbtModelOut, TableResult
from etlfabric_dagster.services import dbt_history, dbt_models
from etlfabric_dagster.services.scope import OPERATOR

app = typer.Typer(help="An org's dbt models.", no_args_is_help=True)

MAX_IMPORT_FILES = 5000
SKIPPED_FOLDERS = {"target", "dbt_packages", "logs", ".git", ".venv", "venv"}


@app.command()
def put(
    org: str,
    path: str,
    file: Annotated[Path, typer.Option(help="The SQL, YAML or CSV file.")],
    draft: Annotated[
        bool, typer.Option("--draft", help="Keep it even if it does not compile; never built.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Store a file of the dbt project; it is parsed first and refused when it does not compile."""
    content = read_text(file)
    with err.status(f"Parsing {path} …"):
        stored = run(dbt_models.put(OPERATOR, org, path, content, draft=draft))
    show(stored, as_json, lambda: _saved(stored))


@app.command()
def history(org: str, path: str, cursor: str | None = None, as_json: AsJson = False) -> None:
    """Versions of a file, newest first."""
    page = scoped(org, lambda scope: dbt_history.list_versions(scope, path, cursor=cursor))
    show_page(page, as_json, ("id", "created_at", "action", "author", "lines"), "No history yet.")


@app.command()
def diff(
    org: str,
    path: str,
    version: UUID,
    against: Annotated[UUID | None, typer.Option(help="Another version; else the file.")] = None,
    as_json: AsJson = False,
) -> None:
    """What changed from a version to the stored file, or to another version."""
    text = scoped(org, lambda scope: dbt_history.diff(scope, path, version, against))
    if as_json:
        print_json({"diff": text})
    else:
        out.print(text or "They are equal.", highlight=False, markup=False)


@app.command()
def restore(org: str, path: str, version: UUID, as_json: AsJson = False) -> None:
    """Store an older version again; parsed first."""
    with err.status(f"Parsing {path} …"):
        stored = run(dbt_models.restore(OPERATOR, org, path, version))
    show(stored, as_json, lambda: _saved(stored))


@app.command("list")
def list_(org: str, as_json: AsJson = False) -> None:
    """All files, generated ones included."""
    page = scoped(org, dbt_models.list_models)
    show_page(page, as_json, ("path", "kind", "origin", "updated_at"), "No dbt models yet.")


@app.command("show")
def show_(org: str, path: str, as_json: AsJson = False) -> None:
    """One file."""
    found = scoped(org, lambda scope: dbt_models.get(scope, path))
    show(found, as_json, lambda: found.content or "")


@app.command()
def delete(org: str, path: str, as_json: AsJson = False) -> None:
    """Delete a file; refused while others refer to it."""
    run(dbt_models.delete(OPERATOR, org, path))
    if as_json:
        print_json({"deleted": path})
    else:
        out.print(f"Deleted {path}; its table stays until you drop it.", highlight=False)


@app.command()
def preview(
    org: str,
    path: str,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Run a model read-only and show its first rows; nothing is written."""
    with err.status(f"Running {path} …"):
        result = run(dbt_models.preview(OPERATOR, org, path, limit=limit))
    print_table(result, as_json)


@app.command("import")
def import_(org: str, directory: Path, as_json: AsJson = False) -> None:
    """Take an existing dbt project: models, macros, seeds, snapshots, tests, YAML."""
    files = _project_files(directory)
    with err.status(f"Importing {len(files)} files …"):
        report = run(dbt_models.import_project(OPERATOR, org, files))
    show(report, as_json)


def query(
    org: str,
    sql: str,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 1000,
    as_json: AsJson = False,
) -> None:
    """Query as the org's read-only login; search path marts, staging, raw."""
    print_table(run(dbt_models.query(OPERATOR, org, sql, limit=limit)), as_json)


def print_table(result: TableResult, as_json: bool) -> None:
    """Rows for people or programs."""
    if as_json:
        print_json(result)
        return
    print_rows([column.name for column in result.columns], result.rows)
    if result.truncated:
        err.print(f"First {len(result.rows)} rows only.", highlight=False)


def _saved(stored: DbtModelOut) -> str:
    if stored.draft is None:
        return f"Saved {stored.path}."
    why = stored.draft.error.message if stored.draft.error else ""
    return f"Kept {stored.path} as a draft; builds do not see it. {why}"


def _project_files(directory: Path) -> dict[str, bytes]:
    if not (directory / "dbt_project.yml").is_file():
        raise InvalidInputError(
            f"{directory} has no dbt_project.yml.", "Give the folder of a dbt project."
        )
    found = [
        path
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not SKIPPED_FOLDERS.intersection(path.relative_to(directory).parts)
    ]
    if len(found) > MAX_IMPORT_FILES:
        raise InvalidInputError(
            f"{directory} holds {len(found):,} files; the most is {MAX_IMPORT_FILES:,}.",
            "Leave out what is not part of the project.",
        )
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}
