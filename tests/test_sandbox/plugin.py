"""A connector whose config says how it misbehaves; it runs in the sandbox server's children."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.connections import ConnectorSpec
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import CheckResult, ColumnInfo, DiscoveredStream


def _look(source: SourceConfig) -> str:
    """What a child can see."""
    facts = {
        "environment": dict(os.environ),
        "modules": sorted(sys.modules),
        "directory": os.getcwd(),
        "directory_mode": oct(os.stat(".").st_mode & 0o777),
        "session": os.getsid(0) == os.getpid(),
        "pid": os.getpid(),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }
    return json.dumps(facts)


def _sleep(source: SourceConfig) -> str:
    """Tell the pid in a file, start a grandchild in its own session, then hang."""
    escaped = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open("left_behind", "w") as file:
        file.write("x")
    temporary = source.config["tell"] + ".new"
    with open(temporary, "w") as file:
        file.write(json.dumps([os.getpid(), escaped.pid, os.getcwd()]))
    os.rename(temporary, source.config["tell"])
    time.sleep(600)
    return ""


def _burn(source: SourceConfig) -> str:
    while True:
        pass


def _hoard(source: SourceConfig) -> str:
    return str(len(bytearray(int(source.config["mib"]) << 20)))


def _die(source: SourceConfig) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def _crash(source: SourceConfig) -> str:
    ctypes.string_at(0)
    return ""


def _refuse(source: SourceConfig) -> str:
    raise ConnectorError(
        f"db refused “{source.secrets['password']}” at pg://u:{source.secrets['password']}@db.",
        "Check it.",
        code="bad_login",
        host="db",
    )


def _stumble(source: SourceConfig) -> str:
    raise RuntimeError(f"boom {source.secrets['password']}")


ACTIONS: dict[str, Callable[[SourceConfig], str]] = {
    "look": _look,
    "sleep": _sleep,
    "burn": _burn,
    "hoard": _hoard,
    "die": _die,
    "crash": _crash,
    "refuse": _refuse,
    "stumble": _stumble,
}


class Plugin:
    """Does what the config's `do` says, in `check`."""

    spec = ConnectorSpec(
        name="plugin",
        title="Plugin",
        group="test",
        description="",
        config_schema={},
        secrets_schema={},
    )
    applies_column_policies = False

    def check(self, source: SourceConfig) -> CheckResult:
        return CheckResult(ok=True, cause=ACTIONS[source.config["do"]](source))

    def discover(self, source: SourceConfig) -> Iterable[DiscoveredStream]:
        yield DiscoveredStream(name="orders", columns=(ColumnInfo(name="id", type="int8"),))


CONNECTOR: Any = Plugin()
