"""Bodies that are files: received into a temporary file, so that none of them fills memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, cast

from fastapi import Request

from etlfabric_dagster.errors import TooLargeError

IN_MEMORY = 1024 * 1024

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""OpenAPI of a route that takes a file as its body."""


@asynccontextmanager
async def received(request: Request, max_bytes: int) -> AsyncIterator[BinaryIO]:
    """The request's body as an open file, at its start. Raises TooLargeError."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_bytes:
                raise TooLargeError(
                    f"The file is larger than {max_bytes:,} bytes.",
                    "Split it or compress it.",
                    limit_bytes=max_bytes,
                )
            file.write(chunk)
        file.seek(0)
        yield cast("BinaryIO", file)
