"""`etlfabric up | down | status | logs`: the stack on this machine."""

from __future__ import annotations

import os
import sys
import time
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from etlfabric_dagster.cli.output import AsJson, print_json
from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded import logfiles, stack
from etlfabric_dagster.embedded.home import Home
from etlfabric_dagster.embedded.state import StackState, State
from etlfabric_dagster.errors import FabricError, NotFoundError, StackError

SYMBOLS = {
    State.HEALTHY: "[green]●[/]",
    State.DONE: "[green]✓[/]",
    State.STARTING: "[yellow]◐[/]",
    State.RESTARTING: "[yellow]↻[/]",
    State.FAILED: "[red]✗[/]",
}
WATCH_S = 0.5


def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return once all of it works.")] = False,
    with_demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Load the demo org.")] = True,
    as_json: AsJson = False,
) -> None:
    """Start the whole stack; Ctrl-C stops it, unless it was started with --detach."""
    console = _Unbreakable(stderr=True, highlight=False)
    if stack.is_up():
        with _Progress(console) as progress:
            stack.wait_until_ready(progress.show)
        console.print(f"The stack in {settings.home_dir} is up already.")
        _print_urls(console)
        failed = _await_demo(console)
        if as_json:
            print_json(stack.status())
        if failed:
            raise failed
        return
    try:
        leash = _start(console, with_demo=with_demo, leashed=not detach)
        failed = _await_demo(console)
        if as_json:
            print_json(stack.status())
        if failed and detach:
            raise failed
        if failed:
            console.print(f"{failed.message}\n{failed.remedy}", style="red", markup=False)
        if not detach:
            _stay(console)
        del leash
    except KeyboardInterrupt:
        with _Progress(console) as progress:
            stack.down(progress.show)
        console.print("Stopped.")


def _start(console: Console, *, with_demo: bool, leashed: bool) -> IO[bytes] | None:
    started = time.monotonic()
    with _Progress(console) as progress:
        leash = stack.up(progress.show, demo=with_demo, leashed=leashed)
    console.print(f"Up in {time.monotonic() - started:.1f} s. Home: {settings.home_dir}")
    _print_urls(console)
    if login := stack.first_login():
        console.print(f"Sign in as {login[0]} with the one-time password [bold]{login[1]}[/]")
    return leash


def _await_demo(console: Console) -> FabricError | None:
    """The supervisor loads it, once per install. Returns why it could not; the stack stays up."""
    try:
        with console.status("Loading the demo …") as line:
            loaded = stack.wait_for_demo(line.update)
    except FabricError as exc:
        return exc
    if loaded:
        console.print("The demo is loaded. Look: etlfabric runs list demo")
    return None


def _stay(console: Console) -> None:
    """Wait for Ctrl-C, or for `down` elsewhere. Raises StackError when the supervisor died."""
    console.print("Ctrl-C stops it.")
    while stack.is_up():
        time.sleep(WATCH_S)
    if not stack.was_stopped():
        raise StackError("The supervisor of the stack died.", "Start it again: etlfabric up.")
    console.print("Stopped.")


def down(as_json: AsJson = False) -> None:
    """Stop the stack, and whatever a killed one left behind."""
    console = Console(stderr=True, highlight=False)
    with _Progress(console) as progress:
        left = stack.down(progress.show)
    console.print("Stopped." if not left else f"Stopped; ended {left} processes left behind.")
    if as_json:
        print_json({"left_behind": left})


def status(as_json: AsJson = False) -> None:
    """Ask every process and every protection whether it works, now."""
    found = stack.status()
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    table = Table("process", "pid", "", "detail", box=None, pad_edge=False)
    for one in found.processes:
        mark = "[green]healthy[/]" if one.healthy else "[red]not healthy[/]"
        table.add_row(one.name, str(one.pid or "–"), mark, one.detail)
    console.print(table)
    for name, value in found.controls.items():
        console.print(f"{name}: {value}")
    _print_urls(console)


def logs(
    process: str,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option(help="How many of the last lines.")] = 100,
) -> None:
    """Print what a process wrote."""
    folder = Home(settings.home_dir).logs
    path = folder / f"{process}.log"
    known = sorted(found.stem for found in folder.glob("*.log"))
    if process not in known:
        raise NotFoundError(
            f"No process {process!r} has a log in {folder}.",
            f"Name one of: {', '.join(known) or 'none yet; run `etlfabric up`'}.",
        )
    for line in logfiles.tail(path, lines):
        sys.stdout.write(line + "\n")
    if follow:
        for line in logfiles.follow(path):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


class _Unbreakable(Console):
    """Goes quiet when nobody reads it any more (`up | head`): what it tells of goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), self.file.fileno())  # the flush at exit would fail again


class _Progress:
    """One calm line per process on a terminal; nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._quiet = not console.is_terminal

    def __enter__(self) -> _Progress:
        if not self._quiet:
            self._live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if not self._quiet:
            self._live.stop()

    def show(self, state: StackState) -> None:
        """Draw the state."""
        if self._quiet:
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, one in state.processes.items():
            table.add_row(SYMBOLS.get(one.state, "[dim]·[/]"), name, f"[dim]{one.state}[/]")
        self._live.update(table)


def _print_urls(console: Console) -> None:
    for name, url in stack.urls().items():
        console.print(f"  {name}: {url}")
