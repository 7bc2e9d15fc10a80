"""Execution plans and job subsets without a code server: Dagster's own gRPC servicer, called
in-process, on repositories built on demand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import google.protobuf.message

from etlfabric_dagster.orchestration import repositories
from etlfabric_dagster.orchestration.compat import (
    DagsterApiServer,
    DagsterGrpcClient,
    ReconstructableRepository,
    RemoteRepositoryOrigin,
    RepositoryDefinition,
)

log = logging.getLogger("etlfabric.servicer")


class TenantServicer(DagsterApiServer):
    """The servicer of one published version. Cheap: starts no thread, loads nothing yet.

    Its base class loads a code target and starts threads when it is made; nothing of that is
    wanted, so its `__init__` is not called.
    """

    def __init__(self, slug: str, version: int) -> None:
        self._slug, self._version = slug, version
        self._logger = log

    def _get_repo_for_origin(
        self, remote_repo_origin: RemoteRepositoryOrigin
    ) -> RepositoryDefinition:
        return repositories.cache.get(self._slug, self._version).repository

    def _get_reconstructable_repo_for_origin(
        self, remote_repo_origin: RemoteRepositoryOrigin
    ) -> ReconstructableRepository:
        return repositories.reconstructable(self._slug, self._version)


class InProcessClient(DagsterGrpcClient):
    """A client whose calls go to a servicer in this process."""

    def __init__(self, servicer: TenantServicer) -> None:
        super().__init__(socket=repositories.CODE_SOCKET)
        self._servicer = servicer

    def _get_response(
        self, method: str, request: google.protobuf.message.Message, timeout: int = 0
    ) -> Any:
        return getattr(self._servicer, method)(request, None)

    async def _gen_response(
        self,
        method: str,
        request: google.protobuf.message.Message,
        timeout: int = 0,  # noqa: ASYNC109 - as the base class has it
    ) -> Any:
        return await asyncio.to_thread(self._get_response, method, request)

    def _get_streaming_response(
        self, method: str, request: google.protobuf.message.Message, timeout: int = 0
    ) -> Iterator[Any]:
        yield from getattr(self._servicer, method)(request, None)

    async def _gen_streaming_response(
        self,
        method: str,
        request: google.protobuf.message.Message,
        timeout: int = 0,  # noqa: ASYNC109
    ) -> AsyncIterator[Any]:
        for part in await asyncio.to_thread(
            lambda: list(self._get_streaming_response(method, request))
        ):
            yield part
