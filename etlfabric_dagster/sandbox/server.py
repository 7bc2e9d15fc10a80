"""The fork server: `python -m etlfabric_dagster.sandbox.server SOCKET`.

It imports dlt, dbt and the drivers once and forks one child per call, the next one ahead of its
call. It never holds a secret: it starts itself again with a clean environment, never reads a job,
and never imports settings.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from etlfabric_dagster import collector
from etlfabric_dagster.errors import FabricError, SandboxError
from etlfabric_dagster.sandbox import child, jobs, leash, limits
from etlfabric_dagster.schemas.jobs import FailedEvent
from etlfabric_dagster.schemas.runs import ErrorInfo

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
SET_VARIABLES = {
    "PYTHONSAFEPATH": "1",
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "WARNING",
}
BACKLOG = 128
SPARE_PAUSE_S = 0.02
"""Quiet before the next child is forked ahead: in a rush it would be in the way."""


@dataclass
class Call:
    """A child at work: its folder, and our end of its answers, for the case that it dies."""

    workdir: Path
    conn: socket.socket


@dataclass
class Spare:
    """A child that waits for its call, and our end of the socket on which it will get it."""

    pid: int
    door: socket.socket


class Server:
    """Accepts calls on a 0600 Unix socket and forks a child for each. Single-threaded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._work = path.with_name(path.name + ".work")
        self._calls: dict[int, Call] = {}
        self._count = 0
        self._spare: Spare | None = None
        """Forking takes 8 to 25 ms (measured 2026-11), which a call need not wait for."""
        self._own: set[int] = set()
        """Processes that the warm libraries keep: multiprocessing's resource tracker."""
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then every child dies. Blocking.

        Raises SandboxError when another server has the socket.
        """
        with self._only_one(), self._woken_by_signals() as wakeup:
            self._prepare_folder()
            with collector.paused():  # children share these pages
                jobs.warm()
            self._own = set(_children())
            with self._listening() as listener:
                sys.stdout.write(f"sandbox ready {os.getpid()}\n")
                sys.stdout.flush()
                self._loop(listener, wakeup)
            self._end_all()

    def _loop(self, listener: socket.socket, wakeup: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            while not self._stopping:
                pause_s = SPARE_PAUSE_S if self._spare is None else None
                ready = {key.fileobj for key, _ in selector.select(pause_s)}
                if wakeup in ready:
                    self._on_signals(wakeup.recv(4096))
                if listener in ready and not self._stopping:
                    self._accept(listener)
                if not ready:
                    self._spare = self._fork_spare(listener)

    def _accept(self, listener: socket.socket) -> None:
        conn, _ = listener.accept()
        self._count += 1
        workdir = self._work / f"{os.getpid()}-{self._count}"
        pid = self._hand_over(conn, workdir) or self._fork(listener, lambda: (conn, workdir))
        self._calls[pid] = Call(workdir, conn)

    def _hand_over(self, conn: socket.socket, workdir: Path) -> int:
        """Give the call to the spare child; 0 when there is none."""
        spare, self._spare = self._spare, None
        if spare is None:
            return 0
        with spare.door:
            try:
                socket.send_fds(spare.door, [bytes(workdir)], [conn.fileno()])
            except OSError:  # somebody killed it
                return 0
        return spare.pid

    def _fork_spare(self, listener: socket.socket) -> Spare:
        door, inside = socket.socketpair()
        with inside:

            def wait_for_call() -> tuple[socket.socket, Path] | None:
                door.close()
                said, descriptors, _flags, _address = socket.recv_fds(inside, 4096, 1)
                inside.close()
                if not said:
                    return None
                return socket.socket(fileno=descriptors[0]), Path(os.fsdecode(said))

            return Spare(self._fork(listener, wait_for_call), door)

    def _fork(
        self, listener: socket.socket, call: Callable[[], tuple[socket.socket, Path] | None]
    ) -> int:
        """A child that does what `call` gives it. Returns its id; in the child, never."""
        server = os.getpid()
        if pid := os.fork():
            return pid
        status = 1
        try:
            child.reset_signals()
            leash.die_with_parent(server)
            listener.close()
            for other in self._calls.values():  # else their callers never see the end
                other.conn.close()
            taken = call()
            status = child.main(*taken) if taken else 0
        except BaseException:
            pass  # no trace: it may quote the job; the server tells the caller
        finally:
            os._exit(status)

    def _on_signals(self, numbers: bytes) -> None:
        if set(numbers) & {signal.SIGTERM, signal.SIGINT}:
            self._stopping = True
        self._reap()

    def _reap(self) -> None:
        """Take the verdict-less end of children, and end whatever they left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if self._spare is not None and pid == self._spare.pid:
                self._spare.door.close()
                self._spare = None
                continue
            call = self._calls.pop(pid, None)
            if call is None:
                continue  # an orphan we adopted and killed
            _kill_group(pid)
            self._kill_orphans()
            if status:
                _tell(call.conn, limits.explain(status))
            call.conn.close()
            shutil.rmtree(call.workdir, ignore_errors=True)

    def _kill_orphans(self) -> None:
        spare = {self._spare.pid} if self._spare else set()
        for pid in set(_children()) - spare:
            if pid not in self._calls and pid not in self._own:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _end_all(self) -> None:
        for pid, call in self._calls.items():
            os.kill(pid, signal.SIGKILL)  # unreaped, hence still ours
            _kill_group(pid)
            os.waitpid(pid, 0)
            _tell(call.conn, SandboxError("The sandbox server was stopped.", "Try again."))
            call.conn.close()
        self._calls.clear()
        if self._spare is not None:
            self._spare.door.close()  # it goes by itself; what does not is killed
            self._spare = None
        self._kill_orphans()
        shutil.rmtree(self._work, ignore_errors=True)

    def _prepare_folder(self) -> None:
        """Wipe what a killed server's children left."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir(mode=0o700)
        os.environ["HOME"] = str(self._work)  # no .dlt, .pgpass or .aws of whoever started us
        os.chdir(self._work)

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        with self._path.with_name(self._path.name + ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise SandboxError(
                    f"Another sandbox server already serves {self._path}.",
                    "Stop it first: etlfabric down.",
                ) from exc
            yield

    @contextlib.contextmanager
    def _woken_by_signals(self) -> Iterator[socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        with ours, theirs:
            signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: None)
            yield ours
            signal.set_wakeup_fd(-1)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        self._path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            before = os.umask(0o177)
            listener.bind(str(self._path))
            os.umask(before)
            listener.listen(BACKLOG)
            yield listener
        self._path.unlink(missing_ok=True)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _children() -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def _tell(conn: socket.socket, error: SandboxError) -> None:
    """Say why a child died. Its last line may be torn, hence the newline; never blocks."""
    info = ErrorInfo(message=error.message, remedy=error.remedy, code=error.code)
    line = FailedEvent(error=info).model_dump_json().encode()
    with contextlib.suppress(OSError):
        conn.send(b"\n" + line + b"\n", socket.MSG_DONTWAIT)


def clean_environment() -> dict[str, str]:
    """The environment a server may have: no setting, no credential."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | SET_VARIABLES


def command(path: Path) -> list[str]:
    """The command line that starts a server."""
    return [sys.executable, "-m", "etlfabric_dagster.sandbox.server", str(path)]


def main(arguments: list[str]) -> int:
    """Entry point; starts itself again when the environment holds more than it should."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m etlfabric_dagster.sandbox.server SOCKET\n")
        return 2
    path = Path(arguments[0]).absolute()
    if set(os.environ) - set(KEPT_VARIABLES) - set(SET_VARIABLES) - {"LC_CTYPE"}:
        _start_again(path)
    leash.adopt_orphans()
    try:
        Server(path).run()
    except FabricError as exc:
        sys.stderr.write(f"{exc.message} {exc.remedy}\n")
        return 1
    return 0


def _start_again(path: Path) -> NoReturn:
    os.execve(sys.executable, command(path), clean_environment())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
