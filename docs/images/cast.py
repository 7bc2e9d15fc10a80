"""Draws docs/images/*.svg: real commands and what they really print, on a running stack.

`uv run python docs/images/cast.py` after `uv run etlfabric up --detach`.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.terminal_theme import TerminalTheme

FOLDER = Path(__file__).parent
WIDTH = 92
CASTS = {
    "demo": (
        "etlfabric status",
        'etlfabric query demo "select day, orders, revenue from daily_orders'
        ' order by day desc limit 4"',
        "etlfabric demo add-orders",
        "etlfabric runs start demo shop --wait",
        'etlfabric query demo "select day, orders, revenue from daily_orders'
        ' order by day desc limit 1"',
    ),
}
MAX_LINES = 26
THEME = TerminalTheme(
    (16, 20, 29),
    (222, 227, 237),
    [
        (60, 68, 84),
        (240, 113, 120),
        (126, 211, 150),
        (240, 200, 110),
        (120, 170, 250),
        (200, 150, 240),
        (110, 205, 220),
        (222, 227, 237),
    ],
)
WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.S)  # a picture asks no other host


def main() -> None:
    """Run each cast and write its picture."""
    for name, commands in CASTS.items():
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        for command in commands:
            _play(console, command)
        (FOLDER / f"{name}.svg").write_text(_svg(console))


def _play(console: Console, command: str) -> None:
    console.print(f"[bold cyan]$[/] [bold]{command}[/]", highlight=False)
    for line in AnsiDecoder().decode(_output(command)):
        console.print(line, highlight=False, overflow="fold")
    console.print()


def _output(command: str) -> str:
    program, *arguments = shlex.split(command)
    found = Path(sys.executable).with_name(program)
    environment = os.environ | {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    done = subprocess.run(
        [str(found), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    lines = done.stdout.rstrip().splitlines()
    left = len(lines) - MAX_LINES
    return "\n".join(lines[:MAX_LINES] + ([f"… {left} more lines"] if left > 0 else []))


def _svg(console: Console) -> str:
    drawn = WEB_FONTS.sub("", console.export_svg(title="ETL Fabric", theme=THEME))
    return drawn.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")


if __name__ == "__main__":
    main()
