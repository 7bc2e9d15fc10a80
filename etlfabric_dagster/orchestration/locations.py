"""Code locations without code servers: read lazily from what was published."""

from __future__ import annotations

import sys
import threading
from functools import cached_property

import dagster as dg

from etlfabric_dagster import aio
from etlfabric_dagster.orchestration import publishing, repositories
from etlfabric_dagster.orchestration.compat import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    SINGLETON_REPOSITORY_NAME,
    GrpcServerCodeLocation,
    JobDataSnap,
    JobRefSnap,
    RemoteRepository,
    RepositoryHandle,
)
from etlfabric_dagster.orchestration.servicer import InProcessClient, TenantServicer
from etlfabric_dagster.services import snapshots


class TenantLocation(GrpcServerCodeLocation):
    """An org at one published version. Nothing is read before somebody looks at it.

    The base class dials a server when it is made; ours sets the same fields from what it knows.
    """

    def __init__(self, slug: str, version: int, instance: dg.DagsterInstance) -> None:
        self._origin = repositories.location_origin(slug)
        self._instance, self._slug, self._version = instance, slug, version
        self._host, self._port, self._socket = "localhost", None, self._origin.socket
        self._use_ssl = False
        self._heartbeat, self._watch_server = False, False
        self._heartbeat_shutdown_event = self._heartbeat_thread = None
        self.grpc_server_registry = None
        self._server_id = f"{slug}@{version}"
        self._executable_path = sys.executable
        self._entry_point = DEFAULT_DAGSTER_ENTRY_POINT
        self._container_image = self._container_context = None
        self._dagster_library_versions = None
        self._repository_code_pointer_dict = {
            SINGLETON_REPOSITORY_NAME: repositories.code_pointer(slug, version)
        }
        self.repository_names = {SINGLETON_REPOSITORY_NAME}
        self.client = InProcessClient(TenantServicer(slug, version))
        self._reading = threading.Lock()

    @property
    def remote_repositories(self) -> dict[str, RemoteRepository]:
        """The org's one repository. Blocking on first use."""
        with self._reading:
            return {SINGLETON_REPOSITORY_NAME: self._repository}

    @cached_property
    def _repository(self) -> RemoteRepository:
        blob = aio.run(snapshots.repository_blob(self._slug))
        return RemoteRepository(
            publishing.decode_repository(blob),
            RepositoryHandle.from_location(
                repository_name=SINGLETON_REPOSITORY_NAME, code_location=self
            ),
            auto_materialize_use_sensors=self._instance.auto_materialize_use_sensors,
            ref_to_data_fn=self._job,
        )

    def _job(self, ref: JobRefSnap) -> JobDataSnap:
        return publishing.decode_job(aio.run(snapshots.job_blob(self._slug, ref.name)))
