"""The code pointer of every tenant: `build(slug, version)`, and a small cache behind it.

A run stores the pointer that it was planned with; any Dagster process of this install can follow
it, because the snapshot is read from the platform's database.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass

from etlfabric_dagster import aio
from etlfabric_dagster.orchestration.compat import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    SINGLETON_REPOSITORY_NAME,
    CustomPointer,
    GrpcServerCodeLocationOrigin,
    ModuleCodePointer,
    ReconstructableRepository,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    RepositoryDefinition,
)
from etlfabric_dagster.orchestration.publishing import build_repository
from etlfabric_dagster.schemas.snapshot import TenantSnapshot
from etlfabric_dagster.services import snapshots

CACHE_SIZE = 64  # repositories; one of 15 tables and 8 jobs takes 0.9 MiB, measured 2026-11
CODE_SOCKET = "etlfabric"
"""Stock origins want an address. Nobody listens there: locations answer in-process."""


@dataclass(frozen=True)
class Built:
    """A snapshot and what was built from it."""

    snapshot: TenantSnapshot
    repository: RepositoryDefinition


class RepositoryCache:
    """Least recently used repositories by (slug, version). Thread-safe."""

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, int], Built] = OrderedDict()

    def get(self, slug: str, version: int) -> Built:
        """The repository, built on demand. Blocking. Raises NotFoundError.

        Only the newest version is kept in the database: a pointer to an older one, of a run that
        waited, gets the newest.
        """
        with self._lock:
            if (slug, version) in self._found:
                self._found.move_to_end((slug, version))
                return self._found[slug, version]
        snapshot = aio.run(snapshots.load(slug))
        return self._keep((slug, version), Built(snapshot, build_repository(snapshot)))

    def _keep(self, key: tuple[str, int], built: Built) -> Built:
        with self._lock:
            self._found[key] = built
            while len(self._found) > self._size:
                self._found.popitem(last=False)
        return built


cache = RepositoryCache()


def build(slug: str, version: str) -> RepositoryDefinition:
    """Target of the code pointer."""
    return cache.get(slug, int(version)).repository


def code_pointer(slug: str, version: int) -> CustomPointer:
    """What a run stores to find its definitions again."""
    return CustomPointer(ModuleCodePointer(__name__, "build"), [slug, str(version)], [])


def reconstructable(slug: str, version: int) -> ReconstructableRepository:
    """The repository as Dagster's execution wants it."""
    return ReconstructableRepository(
        code_pointer(slug, version),
        executable_path=sys.executable,
        entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
    )


def location_origin(slug: str) -> GrpcServerCodeLocationOrigin:
    """The org's code location. A stock class, so that any Dagster process can read stored runs."""
    return GrpcServerCodeLocationOrigin(host="localhost", socket=CODE_SOCKET, location_name=slug)


def job_origin(slug: str, job: str) -> RemoteJobOrigin:
    """Where the webserver finds a run's job."""
    repository = RemoteRepositoryOrigin(location_origin(slug), SINGLETON_REPOSITORY_NAME)
    return RemoteJobOrigin(repository, job)
