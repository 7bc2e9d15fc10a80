"""Everything of an org, as files that any tool reads."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from etlfabric_dagster.api.deps import CurrentActor, Slug
from etlfabric_dagster.api.routing import org_router
from etlfabric_dagster.services.export import export

router = org_router("export")

ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The archive.",
        "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("", response_class=FileResponse, responses=ARCHIVE)
async def export_org(actor: CurrentActor, slug: Slug) -> FileResponse:
    """A tar.gz with its description, dbt files and every table as CSV. Owners."""
    folder = Path(tempfile.mkdtemp(prefix="etlfabric_export_"))
    try:
        await export(actor, slug, folder / slug)
        packed = await asyncio.to_thread(_pack, folder, slug)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        packed,
        media_type="application/gzip",
        filename=packed.name,
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def _pack(folder: Path, slug: str) -> Path:
    packed = folder / f"{slug}.tar.gz"
    with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
        archive.add(folder / slug, arcname=slug)
    return packed
