"""A file that lists orgs: CSV, JSONL or YAML, by its suffix.

CSV columns are fields of `OrgSpec`; a dot leads into one, as in `connection.config.host`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from etlfabric_dagster.cli.files import read_text
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.fleet import OrgSpec


def read_specs(path: Path) -> list[OrgSpec]:
    """The orgs of the file, in order. Raises InvalidInputError naming the entry."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidInputError(
            f"{path} is not a list of orgs that can be read.",
            f"Give a file that ends in {', '.join(_READERS)}.",
        )
    content = read_text(path)
    try:
        entries = list(reader(content))
    except (ValueError, yaml.YAMLError, RecursionError) as exc:
        first = str(exc).splitlines()[0]
        raise InvalidInputError(f"{path} cannot be read: {first}.", "Correct the file.") from exc
    specs = [_spec(path, number, entry) for number, entry in enumerate(entries, start=1)]
    slugs = [spec.slug for spec in specs]
    if twice := {slug for slug in slugs if slugs.count(slug) > 1}:
        raise InvalidInputError(
            f"{path} names {', '.join(sorted(twice))} more than once.", "Keep one entry of each."
        )
    return specs


def _spec(path: Path, number: int, entry: object) -> OrgSpec:
    try:
        return OrgSpec.model_validate(entry)
    except ValidationError as exc:  # its text quotes the input, secrets included
        first = exc.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise InvalidInputError(
            f"Entry {number} of {path}: {place}: {first['msg']}.",
            "Correct it; nothing was created.",
            field=place,
        ) from None


def _csv(content: str) -> Iterator[dict[str, Any]]:
    for row in csv.DictReader(content.splitlines(), strict=True):
        entry: dict[str, Any] = {}
        for column, value in row.items():
            if value not in (None, ""):
                *folders, field = str(column).split(".")
                place = entry
                for folder in folders:
                    place = place.setdefault(folder, {})
                place[field] = _number(value) if "config" in folders else value
        yield entry


def _number(value: str) -> int | str:
    return int(value) if value.isdecimal() else value


def _jsonl(content: str) -> Iterator[Any]:
    return (json.loads(line) for line in content.splitlines() if line.strip())


def _yaml(content: str) -> Iterator[Any]:
    found = yaml.safe_load(content)
    return iter(found if isinstance(found, list) else [found])


_READERS: dict[str, Callable[[str], Iterator[Any]]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".yaml": _yaml,
    ".yml": _yaml,
}
