"""What every file of the repository keeps to, whatever its language."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_MODULE_LINES = 500  # 300 is long; a longer module holds two ideas
MAX_FUNCTION_LINES = 60  # 30 is long
DOCUMENTED = 0.95  # of public classes and functions
FOREIGN = re.compile(
    r"/(?:root|work|Users)/|/home/[a-z]"  # a machine's paths
    r"|(?:pypi|pythonhosted|npmjs|jsdelivr|unpkg|cdnjs)\.(?:org|com|net|cloudflare)"  # registries
    r"|(?i:artifactory|\bnexus\b)"
)


def tracked(*patterns: str) -> list[Path]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in names.splitlines() if (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    found = tracked("etlfabric_dagster/*.py", "etlfabric_ui/*.py", "dbt_projects/*.py")
    return [path for path in found if "migrations" not in path.parts]


def test_no_file_names_a_machine_path_or_a_package_registry() -> None:
    named = []
    for path in tracked():
        if path == Path(__file__) or b"\0" in (content := path.read_bytes())[:8192]:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            if found := FOREIGN.search(line):
                named.append(f"{path.relative_to(ROOT)}:{number}: {found[0]}")

    assert named == []


@pytest.mark.parametrize("line", ["see /root/x", "https://pypi.org/p", "cd /home/me", "/work/a"])
def test_a_machine_path_or_registry_would_be_found(line: str) -> None:
    assert FOREIGN.search(line)


def test_modules_and_functions_stay_short() -> None:
    long = []
    for path in modules():
        source = path.read_text()
        if (lines := source.count("\n")) > MAX_MODULE_LINES:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {MAX_MODULE_LINES}")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                    long.append(f"{where}: {lines} lines, at most {MAX_FUNCTION_LINES}")

    assert long == []


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if (source := path.read_text()).strip() and not ast.get_docstring(ast.parse(source))
    ]

    assert silent == []


def test_public_classes_and_functions_are_documented() -> None:
    known = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": bool(ast.get_docstring(node))
        for path in modules()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    }

    share = sum(known.values()) / len(known)
    assert share >= DOCUMENTED, sorted(name for name, documented in known.items() if not documented)


def test_functions_are_fully_annotated() -> None:
    missing = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                bare = [a.arg for a in given if a.annotation is None and a.arg not in SELF]
                if bare:
                    missing.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {bare}")

    assert missing == []


SELF = {"self", "cls"}


def test_every_tests_folder_is_a_package() -> None:
    """Two test files may share a name; without packages pytest would mix them up."""
    folders = {path.parent for path in tracked("tests/*.py")}

    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file()] == []
