"""dbt's and PostgreSQL's words about a tenant's project, said once more for people.

Every answer names the tenant's file, the line where one is known, and one step.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from etlfabric_dagster.errors import FabricError, SandboxError, TransformError
from etlfabric_dagster.sandbox import dbt_paths
from etlfabric_dagster.schemas.dbt_models import DbtFile

_PATH = re.compile(
    r"\b(?:models|staging|marts|macros|seeds|snapshots|tests|analyses|platform)/[\w./\-]+\.\w+"
)
_REFUSED = re.compile(r"authentication failed|connection to server .* failed|could not connect")
_LINE = re.compile(r"\bline (\d+)")
_HEADER = re.compile(r"^(?:\w+ )+Error(?: in .*)?$")
_MISSING_REF = re.compile(r"depends on a node named '([^']+)'(?: in package '([^']+)')?")
_MISSING_SOURCE = re.compile(r"depends on a source named '([^'.]+)\.([^']+)'")
_DUPLICATE = re.compile(r'dbt found two (\w+) with the name "([^"]+)"')
_DUPLICATE_MACRO = re.compile(r'dbt found (?:two|multiple) macros named "([^"]+)"')
_ENV_VAR = re.compile(r"Env var required but not provided: '([^']+)'")
_READING = re.compile(r"Error reading \w+: \S+ - (?:\w+ )+Error")
_LISTING = re.compile(r"-{10,}.*?-{10,}", re.DOTALL)
_COLUMN = re.compile(r'column "?([\w.]+)"? does not exist')
_HINT = re.compile(r'Perhaps you meant to reference the column "(?:[\w]+\.)?([^"]+)"')
_SQL_LINE = re.compile(r"LINE \d+: (.*)")


def translate(exc: BaseException, files: Sequence[DbtFile] = ()) -> FabricError:
    """One error for whatever dbt raised: TransformError, or SandboxError without a database."""
    if isinstance(exc, TransformError):
        return exc
    text = str(exc)
    if found := _REFUSED.search(text):
        return SandboxError(
            "The org's database "
            + ("refused the login." if "authentication" in found[0] else "cannot be reached."),
            "Start the run again; if it repeats, see whether the database is up: etlfabric status",
        )
    path = _path_of(exc, text)
    for rule in (_cycle, _duplicate, _missing_source, _missing_ref, _env_var):
        found = rule(text, path, files)
        if found is not None:
            return found
    line = _line_of(exc, text)
    return TransformError(
        f"{place(path, line)}: {explain(text)}",
        f"Correct {place(path, line)}." if path else "Correct the project and save again.",
        path=path,
        line=line,
    )


def of_sql(message: str, path: str, raw_code: str, compiled: str) -> tuple[str, int | None]:
    """A database error of a model, told with the tenant's line and PostgreSQL's own suggestion.

    Returns the message and the line in the tenant's file, None when it cannot be told.
    """
    line = _raw_line(message, raw_code, compiled)
    hint = _HINT.search(message)
    said = f" Did you mean “{hint[1]}”?" if hint else ""
    column = _COLUMN.search(message)
    what = f"column “{column[1]}” does not exist." if column else f"{explain(message)}."
    return f"{place(path, line)}: {what.replace('..', '.')}{said}", line


def place(path: str | None, line: int | None) -> str:
    """`marts/daily_orders.sql, line 7`."""
    where = path or "The dbt project"
    return f"{where}, line {line}" if line else where


def explain(text: str) -> str:
    """dbt's text without its headers, folds and paths of this machine."""
    text = _LISTING.sub("", _READING.sub("", text))
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not _HEADER.match(line) and line != "-----"]
    kept = [line for line in kept if not line.startswith(("compiled code at", "> in ", "> called"))]
    kept = [line for line in kept if not line.startswith(("LINE ", "^", "HINT:", "Raw Error"))]
    joined = " ".join(kept)[:600].replace("models/staging/", "staging/")
    return joined.replace("models/marts/", "marts/").rstrip(".") or "it does not compile"


def first_line(exc: BaseException) -> str:
    """The first telling line of an exception."""
    return explain(str(exc))[:200]


def tenant_path(path: str | None) -> str | None:
    """dbt's path as the tenant knows it."""
    return dbt_paths.from_disk(path) if path else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """` Did you mean “x”?` or nothing."""
    near = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return f" Did you mean “{near[0]}”?" if near else ""


def _cycle(text: str, path: str | None, files: Sequence[DbtFile]) -> TransformError | None:
    if "Found a cycle:" not in text:
        return None
    names = re.findall(r"\w+\.tenant\.(\w+)", text)
    circle = " → ".join([*names, names[0]]) if names else text
    return TransformError(
        f"These models need each other, so none can be built first: {circle}.",
        f"Remove one of these references, for example the ref to {names[-1]} in {names[0]}."
        if names
        else "Remove one of these references.",
        models=names,
    )


def _duplicate(text: str, path: str | None, files: Sequence[DbtFile]) -> TransformError | None:
    found = _DUPLICATE.search(text)
    macro = _DUPLICATE_MACRO.search(text)
    if not found and not macro:
        return None
    paths = sorted({dbt_paths.from_disk(each) for each in _PATH.findall(text)})
    own = [each for each in paths if not each.startswith("platform/")]
    where = " and ".join(own)
    if macro and own != paths:
        return TransformError(
            f"{where}: the macro {macro[1]!r} is the platform's and cannot be replaced.",
            f"Remove {macro[1]} from {where}.",
            path=own[0] if own else path,
        )
    if macro:
        return TransformError(
            f"The macro {macro[1]!r} is defined twice: {where}.", "Rename one of them.", path=path
        )
    return TransformError(
        f"Two {found[1]} are called {found[2]!r}: {where}." if found else text,
        f"Rename or delete one of them: {where}.",
        path=own[-1] if own else path,
    )


def _missing_source(text: str, path: str | None, files: Sequence[DbtFile]) -> TransformError | None:
    found = _MISSING_SOURCE.search(text)
    if not found:
        return None
    source, table = found.groups()
    line = line_of(files, path, table)
    known = _source_tables(files)
    return TransformError(
        f"{place(path, line)}: source “{source}” has no table “{table}”.{suggestion(table, known)}",
        f"Correct {place(path, line)}, or load that stream first.",
        path=path,
        line=line,
    )


def _missing_ref(text: str, path: str | None, files: Sequence[DbtFile]) -> TransformError | None:
    found = _MISSING_REF.search(text)
    if not found:
        return None
    line = line_of(files, path, found[1])
    known = [dbt_paths.name(file.path) for file in files]
    return TransformError(
        f"{place(path, line)}: there is no model “{found[1]}”.{suggestion(found[1], known)}",
        f"Correct the ref in {place(path, line)}.",
        path=path,
        line=line,
    )


def unanswered(
    path: str | None, name: str, known: Iterable[str], files: Sequence[DbtFile]
) -> TransformError:
    """A call of a macro, package or test that does not exist."""
    kind = "test" if name.startswith("test_") and path and path.endswith((".yml", ".yaml")) else ""
    word = name.removeprefix("test_") if kind else name
    line = line_of(files, path, word)
    at = place(path, line)
    near = suggestion(word, (each.removeprefix("test_") if kind else each for each in known))
    remedy = f"Correct {at}, or put the macro under macros/; packages are not available here."
    return TransformError(
        f"{at}: “{word}” is not a {kind or 'macro or function'} of this project.{near}",
        f"Correct {at}, or put the test under tests/generic/." if kind else remedy,
        path=path,
        line=line,
    )


def missing_variable(path: str | None, name: str, files: Sequence[DbtFile]) -> TransformError:
    """A variable without value and default."""
    line = line_of(files, path, name)
    return TransformError(
        f"{place(path, line)}: the variable “{name}” has no value here.",
        f"Give it a default: var('{name}', …).",
        path=path,
        line=line,
    )


def _env_var(text: str, path: str | None, files: Sequence[DbtFile]) -> TransformError | None:
    found = _ENV_VAR.search(text)
    if not found:
        return None
    holder = next((file.path for file in files if found[1] in file.content), path)
    line = line_of(files, holder, found[1])
    return TransformError(
        f"{place(holder, line)}: there is no environment variable “{found[1]}”: a project is given"
        " none.",
        "Write the value itself, or give env_var a default.",
        path=holder,
        line=line,
    )


def line_of(files: Sequence[DbtFile], path: str | None, word: str) -> int | None:
    """The first line of a file that holds the word."""
    for file in files:
        if file.path == path:
            for number, line in enumerate(file.content.splitlines(), start=1):
                if word in line:
                    return number
    return None


def _path_of(exc: BaseException, text: str) -> str | None:
    node: Any = getattr(exc, "node", None)
    path = getattr(node, "original_file_path", None)
    if not path or path.startswith("platform"):
        found = _PATH.search(text)
        path = found[0] if found else path
    return tenant_path(str(PurePosixPath(path))) if path else None


def _line_of(exc: BaseException, text: str) -> int | None:
    found = _LINE.search(text)
    return int(found[1]) if found else None


def _raw_line(message: str, raw_code: str, compiled: str) -> int | None:
    """PostgreSQL counts lines of what it was sent and quotes one; find it in the tenant's file.

    As it stands in the file, or, when Jinja changed it, at the same place of the compiled SQL.
    """
    found = _SQL_LINE.search(message)
    wanted = found[1].removeprefix("...").removesuffix("...").strip() if found else ""
    raw_lines, compiled_lines = raw_code.splitlines(), compiled.splitlines()
    line = _only_line(wanted, raw_lines)
    if line is None and len(raw_lines) == len(compiled_lines):
        line = _only_line(wanted, compiled_lines)
    return line


def _only_line(wanted: str, lines: Sequence[str]) -> int | None:
    """The number of the one line that is, or else holds, the text."""
    for matches in (str.__eq__, str.__contains__):
        hits = [n for n, line in enumerate(lines, start=1) if matches(line.strip(), wanted)]
        if wanted and len(hits) == 1:
            return hits[0]
    return None


def _source_tables(files: Sequence[DbtFile]) -> list[str]:
    return [
        name
        for file in files
        if file.path.endswith((".yml", ".yaml")) and "sources:" in file.content
        for name in re.findall(r"\bname:\s*[\"']?([\w]+)", file.content)
    ]
