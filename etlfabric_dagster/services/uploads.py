"""Uploads of an org: files for its `uploads://` connections."""

from __future__ import annotations

import asyncio
from typing import BinaryIO

from etlfabric_dagster import storage
from etlfabric_dagster.schemas.connections import UploadOut
from etlfabric_dagster.services import audit
from etlfabric_dagster.services.scope import OrgScope


def check_put(scope: OrgScope, name: str) -> None:
    """Whether `put` would be allowed, before its content is there. Raises what `put` raises."""
    scope.require("uploads.put")
    storage.check_upload_name(name)


async def put(scope: OrgScope, name: str, content: BinaryIO) -> UploadOut:
    """Store a file, streamed, atomically. Raises InvalidInputError."""
    scope.require("uploads.put")
    stored = await asyncio.to_thread(storage.put_upload, scope.org_id, name, content)
    await audit.record(scope, "uploads.put", f"uploads/{name}", after=stored)
    return stored


async def list_uploads(scope: OrgScope) -> list[UploadOut]:
    """All files by name."""
    return await asyncio.to_thread(storage.list_uploads, scope.org_id)


async def delete(scope: OrgScope, name: str) -> None:
    """Remove a file. Raises NotFoundError."""
    scope.require("uploads.delete")
    await asyncio.to_thread(storage.delete_upload, scope.org_id, name)
    await audit.record(scope, "uploads.delete", f"uploads/{name}")
