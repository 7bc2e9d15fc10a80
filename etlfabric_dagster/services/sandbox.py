"""How services reach the engine: the sandbox client on the install's socket."""

from __future__ import annotations

import asyncio
from typing import Any

from etlfabric_dagster.config import settings
from etlfabric_dagster.sandbox.client import SandboxClient
from etlfabric_dagster.schemas.jobs import Job


def client() -> SandboxClient:
    """The sandbox of this machine."""
    return SandboxClient(settings.sandbox_path)


async def run(job: Job) -> dict[str, Any]:
    """Do a job and return its payload. Raises what the job raised."""
    done = await asyncio.to_thread(client().run, job)
    return done.payload
