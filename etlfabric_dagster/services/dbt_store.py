"""The stored dbt project of an org: its files, its parse, and how both change together.

A change is parsed before it is stored. Changes of one org follow each other (a transaction lock);
definitions always come from the last manifest that parsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.models import Connection, DbtManifest, DbtModel, Pipeline, Stream
from etlfabric_dagster.schemas.dbt_models import DbtFile, DbtOrigin
from etlfabric_dagster.schemas.jobs import DbtProject, ParseJob
from etlfabric_dagster.schemas.naming import snake_case
from etlfabric_dagster.schemas.streams import ColumnInfo, LoadMode, TableSchema
from etlfabric_dagster.services import dbt_graph, sandbox, staging, tenants
from etlfabric_dagster.services.scope import OrgScope

Files = dict[str, DbtFile]


async def files_of(scope: OrgScope) -> Files:
    """All files by path."""
    rows = await scope.session.scalars(select(DbtModel).order_by(DbtModel.path))
    return {
        row.path: DbtFile(path=row.path, content=row.content, origin=DbtOrigin(row.origin))
        for row in rows
    }


async def change(scope: OrgScope, edit: Callable[[Files], None]) -> bool:
    """Edit the files, parse, store. Returns whether anything changed.

    Raises what the parser refused; nothing is stored then.
    """
    await lock(scope)
    before = await files_of(scope)
    after = dict(before)
    edit(after)
    await _generate(scope, after)
    return await _store(scope, before, after)


async def regenerate(scope: OrgScope) -> bool:
    """Bring the generated files in line with the streams. Returns whether anything changed.

    Files that do not parse with the new staging keep the last good manifest; the reason is noted
    beside it and the files are kept.
    """
    await lock(scope)
    before = await files_of(scope)
    after = dict(before)
    await _generate(scope, after)
    try:
        return await _store(scope, before, after)
    except FabricError as exc:
        await _write_files(scope, before, after)
        await _note(scope, exc)
        return before != after


async def manifest_of(scope: OrgScope) -> DbtManifest | None:
    """The last parse, None before the first."""
    return await scope.session.scalar(select(DbtManifest))


async def _store(scope: OrgScope, before: Files, after: Files) -> bool:
    manifest = await manifest_of(scope)
    selectors = await _selectors(scope)
    digest = _digest(after, selectors)
    if manifest is not None and manifest.files_digest == digest and manifest.error is None:
        return False
    parsed = await _parse(scope.org_id, after, selectors)
    await _write_files(scope, before, after)
    values = {
        "files_digest": digest,
        "manifest": parsed["manifest"],
        "packed": parsed["packed"],
        "selections": await _selections(scope, parsed, selectors),
        "error": None,
    }
    if manifest is None:
        scope.session.add(DbtManifest(**values))
    else:
        for name, value in values.items():
            setattr(manifest, name, value)
    await scope.session.flush()
    await scope.touch_config()
    return True


async def _note(scope: OrgScope, error: FabricError) -> None:
    """Why the files of now do not parse, beside the last good manifest (an empty one at first)."""
    manifest = await manifest_of(scope)
    if manifest is None:
        manifest = DbtManifest(files_digest="", manifest={}, packed="", selections={})
        scope.session.add(manifest)
    manifest.error = error.as_dict()
    await scope.session.flush()


async def _parse(org_id: UUID, files: Files, selectors: Mapping[str, str | None]) -> dict[str, Any]:
    job = ParseJob(
        project=DbtProject(files=tuple(files.values())),
        warehouse=await tenants.reader_warehouse(org_id),
        selectors=tuple(sorted({s for s in selectors.values() if s})),
    )
    return await sandbox.run(job)


async def _selectors(scope: OrgScope) -> dict[str, str | None]:
    rows = await scope.session.execute(select(Pipeline.name, Pipeline.models))
    return {name: models for name, models in rows}


async def _selections(
    scope: OrgScope, parsed: dict[str, Any], selectors: Mapping[str, str | None]
) -> dict[str, list[str]]:
    """Pipeline → unique ids: its selector's, or everything downstream of its tables."""
    tables: dict[str, set[str]] = {}
    rows = await scope.session.execute(
        select(Pipeline.name, Stream).join(Stream, Stream.pipeline_id == Pipeline.id)
    )
    for name, stream in rows:
        if stream.selected:
            loaded = {table["table"] for table in stream.tables}
            tables.setdefault(name, set()).update(loaded | {stream.table_name})
    return {
        name: sorted(parsed["selected"][selector])
        if selector
        else dbt_graph.downstream(parsed["manifest"], tables.get(name, set()))
        for name, selector in selectors.items()
    }


async def _generate(scope: OrgScope, files: Files) -> None:
    """Replace the generated files; a tenant's file at the same path stays."""
    generated = [file for file in files.values() if file.origin is DbtOrigin.GENERATED]
    own = [file for file in files.values() if file.origin is DbtOrigin.TENANT]
    known = staging.known_names(own) | staging.known_names(generated)
    taken = {
        file.path.rpartition("/")[2].removesuffix(".sql")
        for file in own
        if not file.path.startswith("staging/")
    }
    for file in generated:
        del files[file.path]
    for file in staging.generate(await tables_of(scope), known, taken):
        files.setdefault(file.path, file)


async def tables_of(scope: OrgScope) -> list[staging.StagingTable]:
    """Raw tables of selected streams: as loaded, or as discovered before the first load."""
    rows = await scope.session.execute(
        select(Stream, Pipeline.table_prefix, Connection.connector)
        .join(Pipeline, Pipeline.id == Stream.pipeline_id)
        .outerjoin(Connection, Connection.id == Pipeline.connection_id)
        .where(Stream.selected)
    )
    found: list[staging.StagingTable] = []
    for stream, prefix, connector in rows:
        tables = [TableSchema.model_validate(t) for t in stream.tables]
        tables = tables or _discovered(stream, connector)
        found += [staging.StagingTable(t, t.table.removeprefix(prefix)) for t in tables]
    return found


def _discovered(stream: Stream, connector: str | None) -> list[TableSchema]:
    """What the first load will make of a stream whose columns are known.

    Databases name them as they do themselves, all others as the raw table will (`user__id`).
    """
    in_database = connector is None or registry.get(connector).applies_column_policies
    spell = snake_case if in_database else str
    columns = [ColumnInfo.model_validate(column) for column in stream.discovered]
    kept = [c for c in columns if stream.columns.get(c.name, {}).get("policy") != "drop"]
    if not kept:
        return []
    return [
        TableSchema(
            table=stream.table_name,
            stream=stream.name,
            primary_key=tuple(map(spell, stream.primary_key)),
            mode=LoadMode(stream.mode),
            columns=tuple(ColumnInfo(name=spell(c.name), type=c.type, nullable=True) for c in kept),
        )
    ]


async def _write_files(scope: OrgScope, before: Files, after: Files) -> None:
    gone = before.keys() - after.keys()
    if gone:
        await scope.session.execute(delete(DbtModel).where(DbtModel.path.in_(gone)))
    for path, file in after.items():
        if before.get(path) == file:
            continue
        values = {"content": file.content, "origin": file.origin}
        statement = insert(DbtModel).values(path=path, **values)
        await scope.session.execute(
            statement.on_conflict_do_update(
                index_elements=["path"], set_=values | {"updated_at": func.clock_timestamp()}
            )
        )


def _digest(files: Files, selectors: Mapping[str, str | None]) -> str:
    digest = hashlib.sha256(repr(sorted(selectors.items())).encode())
    for path, file in sorted(files.items()):
        digest.update(f"{path}\0{file.content}\0".encode())
    return digest.hexdigest()


async def lock(scope: OrgScope) -> None:
    """Until the transaction ends: changes of one org's dbt project follow each other."""
    key = scope.org_id.int & 0x7FFF_FFFF_FFFF_FFFF
    await scope.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
