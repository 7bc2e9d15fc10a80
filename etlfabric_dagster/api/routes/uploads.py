"""Uploads: files for `uploads://` connections."""

from __future__ import annotations

from fastapi import Request

from etlfabric_dagster import storage
from etlfabric_dagster.api import files
from etlfabric_dagster.api.deps import CurrentActor, Scoped, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.connections import UploadOut
from etlfabric_dagster.services import uploads
from etlfabric_dagster.services.scope import org_scope

router = org_router("uploads")


@router.get("")
async def list_uploads(scope: Scoped) -> Page[UploadOut]:
    """All files by name."""
    return Page(items=tuple(await uploads.list_uploads(scope)))


@router.put("/{name}", openapi_extra=files.BODY)
async def put_upload(request: Request, actor: CurrentActor, slug: Slug, name: str) -> UploadOut:
    """Store the body as a file, replacing one of the same name."""
    async with org_scope(actor, slug) as scope:  # before two gigabytes are taken in
        uploads.check_put(scope, name)
    async with (
        files.received(request, storage.MAX_UPLOAD_BYTES) as content,
        org_scope(actor, slug) as scope,
    ):
        return await uploads.put(scope, name, content)


@router.delete("/{name}", status_code=204)
async def delete_upload(scope: Scoped, name: str) -> None:
    """Remove a file; what was loaded from it stays."""
    await uploads.delete(scope, name)
