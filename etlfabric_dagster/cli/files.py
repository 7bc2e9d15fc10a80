"""Files that commands are given: JSON objects and text, with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etlfabric_dagster.errors import InvalidInputError

MAX_BYTES = 10 * 1024 * 1024


def read_text(path: Path) -> str:
    """The file as UTF-8 text. Raises InvalidInputError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInputError(f"{path} is larger than 10 MiB.", "Give a smaller file.")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise InvalidInputError(
            f"{path} cannot be read: {reason}.", "Check the path and the encoding."
        ) from exc


def read_object(path: Path | None) -> dict[str, Any]:
    """The file as one JSON object; empty without a file. Raises InvalidInputError."""
    if path is None:
        return {}
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(
            f"{path} is not JSON: {exc}.", "Correct the file.", file=str(path)
        ) from exc
    if not isinstance(found, dict):
        raise InvalidInputError(f"{path} does not hold a JSON object.", 'Write {"name": …}.')
    return found
