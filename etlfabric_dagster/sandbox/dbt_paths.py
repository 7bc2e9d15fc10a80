"""Which files a tenant's dbt project may hold, and where they stand on disk. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.sandbox import dbt_settings

FOLDERS: dict[str, frozenset[str]] = {
    "staging": frozenset({".sql", ".yml", ".yaml", ".md"}),
    "marts": frozenset({".sql", ".yml", ".yaml", ".md"}),
    "macros": frozenset({".sql", ".yml", ".yaml"}),
    "seeds": frozenset({".csv", ".yml", ".yaml"}),
    "snapshots": frozenset({".sql", ".yml", ".yaml"}),
    "tests": frozenset({".sql", ".yml", ".yaml", ".csv"}),
    "analyses": frozenset({".sql", ".yml", ".yaml"}),
}
MODEL_FOLDERS = ("staging", "marts")
PLATFORM_FILES = frozenset(
    {"dbt_project", "profiles", "packages", "dependencies", "package-lock", "selectors"}
)
MAX_FILE_BYTES = 1_000_000  # dbt loads a seed of 1 MB in ~2 s; more belongs into an upload
MAX_PATH_CHARACTERS = 200
MAX_NAME_CHARACTERS = 63  # PostgreSQL truncates longer names silently
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_RELATION = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KINDS = {
    "macros": "macro",
    "seeds": "seed",
    "snapshots": "snapshot",
    "tests": "test",
    "analyses": "analysis",
}


def check(path: str, content: str = "") -> str:
    """The path as stored. Raises InvalidInputError with the rule it breaks."""
    if path == dbt_settings.PATH:
        _check_content(path, content)
        dbt_settings.read(content)
        return path
    folder, _, rest = path.partition("/")
    parts = rest.split("/")
    if len(path) > MAX_PATH_CHARACTERS or folder not in FOLDERS or not rest:
        raise _refused(path, f"A file stands in {', '.join(FOLDERS)}", "marts/daily_orders.sql")
    if not all(_PART.fullmatch(part) for part in parts):
        raise _refused(
            path, "Names hold letters, digits, '_', '-' and '.'", f"{folder}/daily_orders.sql"
        )
    name = PurePosixPath(path)
    if name.suffix not in FOLDERS[folder]:
        allowed = ", ".join(sorted(FOLDERS[folder]))
        raise _refused(path, f"{folder}/ takes {allowed}", f"{folder}/{name.stem}.sql")
    if name.stem.lower() in PLATFORM_FILES and name.suffix in (".yml", ".yaml"):
        raise _refused(path, f"{name.name} is the platform's", f"{folder}/schema.yml")
    _check_relation_name(path, name, folder)
    _check_content(path, content)
    return path


def _check_relation_name(path: str, name: PurePosixPath, folder: str) -> None:
    """A model, seed or snapshot names a relation, so the file name must be a plain identifier."""
    if kind(path) not in ("model", "seed", "snapshot") or name.suffix not in (".sql", ".csv"):
        return
    if not _RELATION.fullmatch(name.stem) or len(name.stem) > MAX_NAME_CHARACTERS:
        rule = (
            "The file name becomes a relation: letters, digits and '_', at most "
            f"{MAX_NAME_CHARACTERS} characters"
        )
        raise _refused(path, rule, f"{folder}/daily_orders{name.suffix}")


def _check_content(path: str, content: str) -> None:
    size = len(content.encode("utf-8", "surrogatepass"))
    if size > MAX_FILE_BYTES:
        raise InvalidInputError(
            f"{path} has {size:,} bytes; a project file holds at most {MAX_FILE_BYTES:,}.",
            "Load large data as an upload: etlfabric uploads put ORG FILE",
            field="content",
        )
    if "\0" in content:
        raise InvalidInputError(
            f"{path} contains a NUL character, so it is not text.",
            "Save it as UTF-8 text and put it again.",
            field="content",
        )


def _refused(path: str, rule: str, example: str) -> InvalidInputError:
    shown = path if len(path) <= 80 else path[:77] + "..."
    return InvalidInputError(
        f"{shown!r} is not a place for a dbt file. {rule}.",
        f"Use for example {example}",
        field="path",
    )


def kind(path: str) -> str:
    """`model`, `seed`, `snapshot`, `test`, `macro`, `analysis` or `properties`."""
    folder, suffix = path.partition("/")[0], PurePosixPath(path).suffix
    if suffix in (".yml", ".yaml", ".md"):
        return "properties"
    return _KINDS.get(folder, "model")


def name(path: str) -> str:
    """What dbt calls it: the file name without its extension."""
    return PurePosixPath(path).stem


def on_disk(path: str) -> str:
    """Where the file stands in the rendered project: models share one folder, `models/`."""
    return f"models/{path}" if path.partition("/")[0] in MODEL_FOLDERS else path


def from_disk(path: str) -> str:
    """The tenant's path of a rendered file, as errors and results name it."""
    return path.removeprefix("models/")
