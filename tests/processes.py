"""Processes of the servers under test, any of which may end while it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil


def family(pid: int) -> list[psutil.Process]:
    """The process and all that it started."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def signal_all(processes: Iterable[psutil.Process], number: int) -> None:
    """To each that still runs."""
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(number)


def lives(process: psutil.Process) -> bool:
    """Neither ended nor a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid_lives(pid: int) -> bool:
    """As `lives`."""
    try:
        return lives(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def local_ports(process: psutil.Process) -> list[int]:
    """This side of its TCP connections; none when it has ended."""
    try:
        return [one.laddr.port for one in process.net_connections("tcp") if one.laddr]
    except psutil.NoSuchProcess:
        return []
