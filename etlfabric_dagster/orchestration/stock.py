"""For `workspace.yaml`: every published org as a repository of one module, for stock `dagster dev`.

Stock Dagster reads it once, when it loads the module. With DAGSTER_HOME set to `{home}/dagster` its
launches are executed by the install's workers; without it definitions are only shown.
"""

from __future__ import annotations

import dagster as dg

from etlfabric_dagster import aio
from etlfabric_dagster.logs import log
from etlfabric_dagster.orchestration.compat import RepositoryDefinition
from etlfabric_dagster.orchestration.definitions import build_definitions
from etlfabric_dagster.services import snapshots


def repository(slug: str) -> RepositoryDefinition:
    """The org's repository, called as the org. Blocking. Raises NotFoundError."""
    definitions = build_definitions(aio.run(snapshots.load(slug)))
    return dg.create_repository_using_definitions_args(
        name=slug,
        assets=definitions.assets,
        jobs=definitions.jobs,
        executor=definitions.executor,
    )


def repositories() -> dict[str, RepositoryDefinition]:
    """All orgs with a published version; one that cannot be built does not hide the others."""
    found = {}
    for slug, (version, _) in aio.run(snapshots.versions()).items():
        if version:
            try:
                found[slug] = repository(slug)
            except Exception as exc:
                log.warning("stock.not_built", org=slug, error=str(exc)[:300])
    return found


globals().update({f"org_{slug}": found for slug, found in repositories().items()})
