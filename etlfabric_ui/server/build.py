"""Builds the panel's static files, once: `python -m etlfabric_ui.server.build`.

bun comes from its wheel. The result stands in `_static/` with the digest of what it was built
from; it ships in the wheel, so an install never builds. A checkout whose digest differs does.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

from etlfabric_dagster.errors import StackError

PACKAGE = Path(__file__).parents[1]
STATIC = PACKAGE / "_static"
STAMP = STATIC / "built-from.txt"
SOURCES = (".py", ".css", ".js", ".svg", ".woff2")
TIMEOUT_S = 600


def main() -> int:
    """Build when it is missing or, in a checkout, stale. Blocking, about 20 s."""
    if is_fresh() or (STAMP.exists() and not (PACKAGE.parent / "pyproject.toml").exists()):
        return 0
    sys.stdout.write("Building the control panel, once …\n")
    build()
    sys.stdout.write("The control panel is built.\n")
    return 0


def digest() -> str:
    """Of all that the build depends on."""
    found = hashlib.sha256(version("reflex").encode())
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in SOURCES and STATIC not in path.parents:
            found.update(str(path.relative_to(PACKAGE)).encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def is_fresh() -> bool:
    """Whether the static files are those of this source."""
    return STAMP.exists() and STAMP.read_text() == digest()


def build() -> None:
    """Compile, and replace `_static/` in one step. Raises StackError with what bun said last."""
    root = PACKAGE.parent
    built_from = digest()
    done = subprocess.run(
        [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"],
        cwd=root,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    client = root / ".web" / "build" / "client"
    if done.returncode != 0 or not client.exists():
        raise StackError(
            f"The control panel could not be built: {_last_words(done)}",
            "Read the output of `python -m etlfabric_ui.server.build`.",
            code="panel_build",
        )
    fresh = STATIC.with_name("_static.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(client, fresh)
    (fresh / STAMP.name).write_text(built_from)
    _indent(root / "reflex.lock" / "package.json")
    shutil.rmtree(STATIC, ignore_errors=True)
    fresh.rename(STATIC)


def _indent(path: Path) -> None:
    """As bun writes it: Reflex leaves one long line when there was nothing to install, and a build
    must not change what is committed.
    """
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))


def _environment() -> dict[str, str]:
    """bun from the same environment as this Python; nothing is reported, nothing else fetched."""
    scripts = sysconfig.get_path("scripts")
    if not shutil.which("bun", path=scripts) and not shutil.which("bun"):
        raise StackError(
            "The control panel is to be built, and bun is not installed.",
            "Install the development dependencies: uv sync",
            code="panel_build",
        )
    return {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}",
        "REFLEX_USE_SYSTEM_BUN": "1",
        "REFLEX_CHECK_LATEST_VERSION": "0",
        "REFLEX_TELEMETRY_ENABLED": "0",
        "__REFLEX_SKIP_COMPILE": "",
    }


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return " ".join(lines[-4:])[-600:]


if __name__ == "__main__":
    sys.exit(main())
