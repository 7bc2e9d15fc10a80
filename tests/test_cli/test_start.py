"""Small commands start soon: a module is imported by whoever calls for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from etlfabric_dagster import cli

ENGINES = ("alembic", "celery", "dagster", "dbt", "dlt", "pyarrow")
CALL = """
import sys
from etlfabric_dagster import cli
sys.argv = ["etlfabric", *{arguments!r}]
try:
    cli.main()
except SystemExit:
    pass
sys.stderr.write(" ".join(sorted(set(sys.modules) & set({watched!r}))))
"""


@pytest.mark.parametrize(
    ("arguments", "watched"),
    [
        (["--help"], (*ENGINES, "sqlalchemy", "pydantic_settings")),
        (["orgs", "show", "nobody", "--json"], ENGINES),
        (["runs", "list", "nobody", "--json"], ENGINES),
        (["schedules", "list", "nobody", "--json"], ENGINES),
    ],
    ids=["help", "orgs", "runs", "schedules"],
)
def test_command_imports_no_engine(
    migrated: object, arguments: list[str], watched: tuple[str, ...]
) -> None:
    script = CALL.format(arguments=arguments, watched=watched)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_line_of_help_is_the_commands_own(name: str) -> None:
    group = typer.main.get_command(cli.app)
    own = group.load(name).get_short_help_str(300)  # pyright: ignore[reportAttributeAccessIssue]
    assert cli.COMMANDS[name].help == own


def test_misspelled_command_is_answered_with_the_nearest(etlfabric) -> None:
    refused = etlfabric("stauts")
    assert refused.status == 2
    assert "status" in refused.err
