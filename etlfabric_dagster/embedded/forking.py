"""Start our Python processes by forking the supervisor instead of a new interpreter each.

They import the same engine: done once, a start costs 9 s of CPU instead of 45, a restart nothing,
and the processes share the pages. Linux only; elsewhere each process is started by its command.
What runs is the same either way: `main()` of the module that the command names.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import BinaryIO

from etlfabric_dagster import collector
from etlfabric_dagster.config import reload_settings
from etlfabric_dagster.embedded import foreground, kernel

OPEN_FILES = "/proc/self/fd"


class Nursery:
    """Imports what processes need, a module at a time, and forks them.

    A module that cannot be imported is left to the process' own start, which says why.
    """

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        wanted = [name for command in commands for name in _modules(command)]
        self._pending = list(dict.fromkeys(wanted)) if kernel.LINUX else []
        self._failed: set[str] = set()

    def step(self) -> bool:
        """Import the next module; False when there was none left. Blocking, seconds."""
        if not self._pending:
            return False
        name = self._pending.pop(0)
        try:
            with collector.paused():
                importlib.import_module(name)
        except Exception:
            self._failed.add(name)
        return True

    def is_waited_for(self, command: Sequence[str]) -> bool:
        """Whether something that the command needs is still to be imported."""
        return bool(set(_modules(command)) & set(self._pending))

    def can_fork(self, command: Sequence[str]) -> bool:
        """Whether the command is one of ours and all of it is here."""
        modules = _modules(command)
        return kernel.LINUX and bool(modules) and not self._failed & set(modules)


def fork(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: BinaryIO, signum: int
) -> int:
    """Run the command in a forked child; returns its pid. The child never returns from here."""
    gc.freeze()  # what is here by now is shared
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        kernel.default_signals()
        kernel.die_with_parent(signum)
        kernel.call_process(name)
        _take_over(log, environment)
        sys.argv = list(command[2:])
        status = _main_module(command[2]).main() or 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _take_over(log: BinaryIO, environment: Mapping[str, str]) -> None:
    """Its own output and environment; none of the supervisor's files, the lock above all.

    Their numbers stay taken, by the null device: an inherited object that is finalized closes its
    number once more, and must not find a connection of ours there.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for source, target in ((null, 0), (log.fileno(), 1), (log.fileno(), 2)):
        os.dup2(source, target)
    for inherited in {int(number) for number in os.listdir(OPEN_FILES)} - {0, 1, 2, null}:
        os.dup2(null, inherited, inheritable=False)
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue]
    os.environ.clear()
    os.environ.update(environment)
    reload_settings()


def _main_module(module: str) -> ModuleType:
    inner = f"{module}.__main__"
    is_package = bool(getattr(sys.modules.get(module), "__path__", None))
    return importlib.import_module(inner if is_package and find_spec(inner) else module)


def _modules(command: Sequence[str]) -> tuple[str, ...]:
    """What `python -m MODULE`, or a command of ours, imports; nothing for any other command."""
    if list(command[:2]) != [sys.executable, "-m"]:
        return ()
    ours = (foreground.MODULES[command[3]],) if command[2] == foreground.CLI else ()
    return (command[2], *ours)
