"""Uploaded files as streams of a files connection. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any

from etlfabric_dagster.schemas.connections import UploadOut
from etlfabric_ui import formats
from etlfabric_ui.state.base import moment
from etlfabric_ui.views.connections import UploadRow

LONGEST = 34
"""Characters of a stream's name, room for a number left."""
CONNECTOR = "filesystem"
UPLOADS = "uploads://"
FORMATS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def rows(found: Sequence[UploadOut]) -> list[UploadRow]:
    """The org's files for the page."""
    return [
        UploadRow(one.name, formats.size(one.size_bytes), moment(one.uploaded_at)) for one in found
    ]


def with_files(streams: str, files: Sequence[str]) -> str:
    """The streams field with one more stream per file that none reads yet; other files stay out.

    Text that is not a list of streams is left as it is.
    """
    known = _parsed(streams)
    if known is None:
        return streams
    for name in files:
        kind = FORMATS.get(PurePath(name.lower().removesuffix(".gz")).suffix)
        if kind and not any(fnmatch(name, str(one.get("glob", ""))) for one in known):
            known.append({"name": _free(name, known), "glob": name, "format": kind})
    return json.dumps(known, indent=2) if known else streams


def without_file(streams: str, name: str) -> str:
    """The streams field without the stream that reads exactly this file."""
    known = _parsed(streams)
    if known is None:
        return streams
    kept = [one for one in known if one.get("glob") != name]
    return json.dumps(kept, indent=2) if kept else ""


def _parsed(streams: str) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(streams or "[]")
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(x, dict) for x in found) else None


def _free(file: str, known: Sequence[dict[str, Any]]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", PurePath(file).name.split(".")[0].lower()).strip("_")
    stem = (stem if stem[:1].isalpha() else f"file_{stem}".rstrip("_"))[:LONGEST]
    taken = {one.get("name") for one in known}
    names = (stem, *(f"{stem}_{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)
