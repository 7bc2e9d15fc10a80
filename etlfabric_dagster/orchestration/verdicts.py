"""How a run's failure reads: what happened, what is kept, one step to mend it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from etlfabric_dagster.errors import FabricError, LoadError, TransformError
from etlfabric_dagster.orchestration.events import is_failure
from etlfabric_dagster.schemas.runs import ErrorInfo, NodeResult, StreamResult


def info(error: FabricError) -> ErrorInfo:
    """The error as stored on the run."""
    return ErrorInfo(message=error.message, remedy=error.remedy, code=error.code, where=error.where)


def unforeseen(run_id: UUID, exc: Exception) -> FabricError:
    """What people read of an error that nobody foresaw; its trace goes to the platform's log."""
    reference = run_id.hex[:8].upper()
    return FabricError(
        f"This failed in a way we did not expect ({type(exc).__name__})."
        f" It is logged as {reference}.",
        "Try again; if it repeats, send the reference to your operator.",
        code="unforeseen",
        reference=reference,
    )


def load_error(results: Mapping[str, StreamResult], wanted: int, transforms: bool) -> LoadError:
    """Why the load step fails, naming the streams that did and what stays."""
    failed = {name: r.error for name, r in results.items() if r.status == "failed"}
    first = next((error for error in failed.values() if error), ErrorInfo(message=""))
    loaded = wanted - len(failed)
    said = [first.message or f"{_names(failed)} could not be loaded."]
    if len(failed) > 1:
        said.append(f"{len(failed)} streams failed: {_names(failed)}.")
    if loaded:
        said.append(f"{loaded} of {wanted} streams were loaded and are kept.")
    if transforms:
        said.append("The dbt models were not rebuilt; their rows stay.")
    where = {**first.where, "streams": sorted(failed)}
    return LoadError(" ".join(said), first.remedy, code=first.code, **where)


def transform_error(results: Mapping[str, tuple[str, NodeResult]]) -> TransformError | None:
    """Why the dbt step fails; None when nothing failed. Results by unique id: (name, result)."""
    failed = {uid: pair for uid, pair in results.items() if is_failure(pair[1])}
    if not failed:
        return None
    unique_id, (name, result) = next(iter(failed.items()))
    skipped = [
        n for n, r in results.values() if r.status == "skipped" and r.resource_type != "test"
    ]
    said = [result.message or f"dbt node {name} failed."]
    if len(failed) > 1:
        said.append(
            f"{len(failed) - 1} more failed: {_names(n for n, _ in list(failed.values())[1:])}."
        )
    if skipped:
        said.append(f"{_names(skipped)} {'was' if len(skipped) == 1 else 'were'} not rebuilt.")
    return TransformError(
        " ".join(said),
        _remedy(result),
        node=unique_id,
        failed=sorted(n for n, _ in failed.values()),
    )


def _remedy(result: NodeResult) -> str:
    if result.resource_type == "test":
        return "Look at the failing rows: run the test's compiled SQL with `etlfabric query`."
    where = f" {result.path}" if result.path else " the model"
    return f"Correct{where}, then run the pipeline again."


def _names(names: object) -> str:
    found = sorted(names)  # type: ignore[call-overload]
    shown = ", ".join(found[:5])
    return shown if len(found) <= 5 else f"{shown} and {len(found) - 5} more"
