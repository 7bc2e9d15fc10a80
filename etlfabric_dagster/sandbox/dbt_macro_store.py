"""Keeps what dbt's own macros compile to between starts, as Python keeps bytecode, beside it.

It saves most of what warming dbt takes, 3 s of processor time. Whoever may write there may change
our code anyway. Nothing is kept where Python keeps no bytecode, or where the folder is closed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import pickle
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from dbt.contracts.graph.nodes import Macro

PACKAGES = ("dbt-core", "dbt-adapters", "dbt-common", "dbt-postgres", "etlfabric", "jinja2")


class Kept(NamedTuple):
    """What `dbt_macro_cache` holds."""

    macros: dict[tuple[str, str, str], list[Macro]]
    calls: dict[str, list[str]]
    code: dict[tuple[type, str], CodeType]
    schemas: dict[str, dict[str, Any]]


def place() -> Path:
    """The file for these versions of Python and dbt."""
    versions = sha256(repr([(name, version(name)) for name in PACKAGES]).encode()).hexdigest()
    return Path(importlib.util.cache_from_source(__file__)).with_suffix(f".{versions[:16]}.pickle")


def load() -> Kept:
    """What an earlier start kept; nothing when there is none, or none that can be read."""
    try:
        macros, calls, code, schemas = pickle.loads(place().read_bytes())
        code = {key: marshal.loads(one) for key, one in code.items()}
        return Kept(macros, calls, code, schemas)
    except Exception:  # a file of another program, cut or stale, raises anything
        return Kept({}, {}, {}, {})


def keep(kept: Kept) -> None:
    """Write it for the next start, in one step."""
    if sys.dont_write_bytecode:
        return
    code = {key: marshal.dumps(one) for key, one in kept.code.items()}
    file = place()
    written = file.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        written.write_bytes(pickle.dumps((kept.macros, kept.calls, code, kept.schemas)))
        written.replace(file)
