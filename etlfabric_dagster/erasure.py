"""Erase an org everywhere: Dagster's records first, then the platform's. Resumable."""

from __future__ import annotations

from importlib import import_module

from etlfabric_dagster.aio import run
from etlfabric_dagster.schemas.orgs import EraseReport
from etlfabric_dagster.services import erasures, runs
from etlfabric_dagster.services.scope import Actor


def erase_org(actor: Actor, slug: str) -> EraseReport:
    """Remove the org and report what was there. Blocking. Raises NotFoundError."""
    run(erasures.begin(actor, slug))
    run_ids = run(runs.dagster_run_ids(actor, slug))
    # Importing Dagster takes over a second: only who erases pays for it.
    dagster = import_module("etlfabric_dagster.orchestration.erasure")
    removed: int = dagster.erase_records(slug, run_ids)
    return run(erasures.erase(actor, slug, dagster_runs=removed))
