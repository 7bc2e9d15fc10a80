"""Folders of the servers under test."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def throwaway(name: str) -> Iterator[Path]:
    """A folder, gone afterwards with all that is in it.

    Not in pytest's folder, which every pytest that starts closes to PostgreSQL's OS user. And
    emptied by `rm`: of a hundred thousand files of PostgreSQL's, in a third of shutil's time.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"etlfabric_{name}_")).resolve()
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """With all that is in it."""
    subprocess.run(["rm", "-rf", folder], check=True)
