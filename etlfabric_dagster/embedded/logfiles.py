"""One log file per process in `{home}/logs`, bounded in size."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

SIZE_BYTES = 10 * 1024 * 1024
COPIES = 3
FOLLOW_S = 0.2


def rotate(path: Path) -> None:
    """Move a full log aside. The writer keeps its file: it appends, so it is copied and cut."""
    if not path.exists() or path.stat().st_size < SIZE_BYTES:
        return
    for number in range(COPIES - 1, 0, -1):
        older = path.with_suffix(f".log.{number}")
        if older.exists():
            older.replace(path.with_suffix(f".log.{number + 1}"))
    shutil.copyfile(path, path.with_suffix(".log.1"))
    with path.open("r+b") as file:
        file.truncate()


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log; empty when it was never written."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 400 * lines))
        return file.read().decode(errors="replace").splitlines()[-lines:]


def follow(path: Path) -> Iterator[str]:
    """New lines as they are written, for ever. Blocking."""
    position = path.stat().st_size if path.exists() else 0
    while True:
        size = path.stat().st_size if path.exists() else 0
        position = min(position, size)  # cut by a rotation
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                text = file.read()
                position += len(text)
            yield from text.decode(errors="replace").splitlines()
        time.sleep(FOLLOW_S)
