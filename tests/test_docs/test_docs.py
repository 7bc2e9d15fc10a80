"""The docs say what is true: commands, settings, links and names exist."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import etlfabric_dagster
from etlfabric_dagster.cli import app
from etlfabric_dagster.config import Settings
from etlfabric_dagster.fabric import (
    Org,
    Orgs,
    Run,
    Users,
    data,
    dbt_models,
    fleet,
    insight,
    org_tokens,
    sources,
    work,
)

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CLI: Any = typer.main.get_command(app)
for _name in list(CLI.commands):
    CLI.load(_name)
MENTION = re.compile(r"(?:\$ uv run |`)(etlfabric [^`\n]*)")
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)]*)?\)")
PARTS = (
    *(Orgs, Org, Run, Users, fleet.Fleet, sources.Connections, sources.Pipelines, sources.Uploads),
    *(
        work.Runs,
        work.Schedules,
        dbt_models.DbtModels,
        insight.Alerts,
        data.Data,
        org_tokens.Tokens,
    ),
)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def mentions() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for line in MENTION.findall(page.read_text()):
            if not line.startswith("etlfabric …"):
                yield str(page.relative_to(ROOT)), line


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if is_group(group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))
    else:
        yield path


def is_group(command: Any) -> bool:
    """Typer brings its own copy of click's classes."""
    return hasattr(command, "commands")


def resolved(words: list[str]) -> tuple[Any, list[str]]:
    command: Any = CLI
    while is_group(command) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    return command, words


@pytest.mark.parametrize(("page", "line"), sorted(set(mentions())))
def test_command_in_docs_exists(page: str, line: str) -> None:
    words = shlex.split(line.replace("[", " ").replace("]", " ").split(" …")[0])[1:]

    command, rest = resolved(words)

    assert not is_group(command), f"{page}: no such command: {line}"
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    options = {word for word in rest if word.startswith("--")}
    assert options <= known, f"{page}: {line}"


@pytest.mark.parametrize("path", [" ".join(path) for path in commands(CLI)])
def test_every_command_is_in_the_reference(path: str) -> None:
    assert f"`etlfabric {path}" in (ROOT / "docs" / "cli.md").read_text()


def test_settings_page_lists_exactly_the_settings() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    listed = re.findall(r"^\| `(ETLFABRIC_\w+)` \|", page, re.M)

    assert sorted(listed) == sorted(f"ETLFABRIC_{name.upper()}" for name in Settings.model_fields)


@pytest.mark.parametrize("name", ["ui_port", "dagster_port", "workers", "lease_s", "max_attempts"])
def test_settings_page_states_the_defaults(name: str) -> None:
    row = re.search(
        rf"^\| `ETLFABRIC_{name.upper()}` \| (\S+) \|",
        (ROOT / "docs" / "settings.md").read_text(),
        re.M,
    )

    assert row is not None
    assert float(row[1]) == Settings.model_fields[name].default


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = [link for link, _ in LINK.findall(page.read_text()) if link and "://" not in link]

    assert [link for link in targets if not (page.parent / link).exists()] == []


def test_python_in_docs_is_python_and_imports_what_exists() -> None:
    blocks = [
        (page, text)
        for page in PAGES
        for language, text in FENCE.findall(page.read_text())
        if language == "python"
    ]
    assert blocks

    for page, text in blocks:
        for node in ast.walk(ast.parse(text, filename=str(page))):
            if isinstance(node, ast.ImportFrom) and node.module == "etlfabric_dagster":
                missing = [a.name for a in node.names if not hasattr(etlfabric_dagster, a.name)]
                assert missing == [], page.name


def test_python_page_names_every_public_method() -> None:
    page = (ROOT / "docs" / "python-api.md").read_text()

    missing = [
        f"{part.__name__}.{name}"
        for part in PARTS
        for name in vars(part)
        if not name.startswith("_") and f"`{name}" not in page
    ]

    assert missing == []


def test_public_errors_are_listed() -> None:
    page = (ROOT / "docs" / "python-api.md").read_text()
    errors = [name for name in etlfabric_dagster.__all__ if name.endswith("Error")]

    assert [name for name in errors if f"`{name}`" not in page] == []


def test_every_method_of_fabric_shows_an_example() -> None:
    """tests/test_examples runs them on a real stack."""
    silent = [
        f"{part.__name__}.{name}"
        for part in PARTS
        for name, method in vars(part).items()
        if not name.startswith("_") and inspect.isfunction(method)
        if ">>> " not in (method.__doc__ or "")
    ]

    assert silent == []
