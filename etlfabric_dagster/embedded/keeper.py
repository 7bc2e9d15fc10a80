"""Keeps one sandbox server on a host that has no supervisor for it.

Workers that share a home share the server: the one that holds the lock runs it, and when that one
ends the next takes over.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from functools import partial
from typing import Any

from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded import kernel
from etlfabric_dagster.errors import ConflictError, SandboxError
from etlfabric_dagster.logs import log
from etlfabric_dagster.sandbox import server
from etlfabric_dagster.sandbox.client import SandboxClient

LOOK_S = 1.0
READY_TIMEOUT_S = 300


class SandboxKeeper:
    """Starts the server, starts it again when it ends, stops it with `stop`."""

    def __init__(self) -> None:
        self._path = settings.sandbox_path
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="sandbox-keeper", daemon=True)

    def start(self) -> None:
        """Returns at once; see `wait_ready`."""
        self._thread.start()

    def wait_ready(self, **_: Any) -> None:
        """Blocking. Ends the process when it never is: Celery goes on after any other error, and
        every run would fail.
        """
        try:
            SandboxClient(self._path).wait_ready(READY_TIMEOUT_S)
        except SandboxError as exc:
            log.error("sandbox.never_ready", error=exc.message)
            raise SystemExit(1) from exc

    def stop(self) -> None:
        """End the server, if it is ours. Blocking."""
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                with kernel.locked(self._path.with_suffix(".lock")):
                    self._serve()
            except ConflictError:  # another worker of this home runs it
                self._stopping.wait(LOOK_S)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            # The kernel ends it with this thread, hence with this process, however that ends.
            process = subprocess.Popen(
                server.command(self._path),
                stdin=subprocess.DEVNULL,
                env=server.clean_environment(),
                preexec_fn=partial(kernel.die_with_parent, signal.SIGTERM, os.getpid()),
            )
            while process.poll() is None and not self._stopping.wait(LOOK_S):
                pass
            process.terminate()
            process.wait()
            if not self._stopping.is_set():
                log.warning("sandbox.restarted", status=process.returncode)
