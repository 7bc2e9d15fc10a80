"""Which test process gets which file, and what is begun first: hooks of pytest, for conftest.

A whole stack costs twenty seconds of processor time to start. What starts one, or waits for leases
to run out, begins first, so that the processes end together; and files that share a stack stay in
one process.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

LONG = (
    "tests/browser/",
    "tests/test_tasks/test_hosts.py",
    "tests/test_examples/",
    "tests/packaging/",
    "tests/test_embedded/test_external_stack.py",
    "tests/test_tasks/",
    "tests/test_embedded/test_refusals.py",
    "tests/test_orchestration/test_stock.py",
    "tests/test_sandbox/test_extract_kills.py",
    "tests/test_sandbox/test_server.py",
    "tests/test_connectors/test_sql_memory.py",
)
"""By how long they take alone, longest first; a folder ends with a slash."""

TOGETHER = ("tests/browser/", "tests/test_examples/")
"""Folders whose files share a server that is dear to start."""


class SharedServersTogether(LoadScopeScheduling):
    """A file is the unit of work; so is a folder of TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (folder for folder in TOGETHER if nodeid.startswith(folder))
        return next(shared, nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return SharedServersTogether(config, log)


@pytest.hookimpl(trylast=True)  # after the shuffle
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    return next((n for n, path in enumerate(LONG) if nodeid.startswith(path)), len(LONG))
