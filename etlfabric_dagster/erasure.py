"""Erase an org everywhere: Dagster's records first, then the platform's. Resumable."""

from __future__ import annotations

from importlib import import_module

from etlfabric_dagster.aio import run
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.orgs import EraseReport
from etlfabric_dagster.services import erasures, runs
from etlfabric_dagster.services.scope import Actor


def erase_org(actor: Actor, slug: str) -> EraseReport:
    """Remove the org and report what was there. Blocking. Raises NotFoundError."""
    org_id = run(erasures.begin(actor, slug))
    try:
        return _erase(actor, slug)
    except NotFoundError:  # the scheduler found a closed org, and a worker was faster
        told = run(erasures.report(actor, org_id))
        if told is None:
            raise
        return told


def _erase(actor: Actor, slug: str) -> EraseReport:
    run_ids = run(runs.dagster_run_ids(actor, slug))
    # Importing Dagster takes over a second: only who erases pays for it.
    dagster = import_module("etlfabric_dagster.orchestration.erasure")
    removed: int = dagster.erase_records(slug, run_ids)
    return run(erasures.erase(actor, slug, dagster_runs=removed))
