"""A group whose commands are imported when they are called: `--help` and completion import none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from etlfabric_dagster import collector

_PACKAGE = "etlfabric_dagster.cli"


@dataclass(frozen=True)
class Deferred:
    """A command or a group of them: its module here, the object there, and its line of help."""

    module: str
    name: str
    help: str


class LazyGroup(TyperGroup):
    """A group over `deferred`: stand-ins until one is called."""

    deferred: dict[str, Deferred]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, one in self.deferred.items():
            self.commands[name] = TyperCommand(name=name, help=one.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """What click asks once it knows which command is meant."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name in self.deferred else command, rest

    def load(self, name: str) -> Any:
        """Import the command and put it in its stand-in's place."""
        one = self.deferred[name]
        with collector.paused():
            found = getattr(import_module(f"{_PACKAGE}.{one.module}"), one.name)
        self.commands[name] = _as_click(found, name)
        return self.commands[name]


def lazy_group(commands: dict[str, Deferred]) -> type[LazyGroup]:
    """A class for `typer.Typer(cls=…)`."""
    return type("Commands", (LazyGroup,), {"deferred": commands})


def _as_click(found: Any, name: str) -> Any:
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return group
    alone = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)
