"""The dlt destination of a tenant: PostgreSQL, exact types, COPY for everything.

Every file goes to the staging schema first and reaches the raw table in one transaction, in every
mode: whoever looks sees the old rows or the new ones, and a killed load leaves nothing behind.
Checked on dlt 1.31.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import psycopg2
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.client import (
    FollowupJobRequest,
    HasFollowupJobs,
    LoadJob,
    RunnableLoadJob,
)
from dlt.common.normalizers.naming import NamingConvention
from dlt.common.schema import TSchemaTables
from dlt.common.storages.file_storage import FileStorage
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.exceptions import DatabaseTerminalException
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper, postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.sql_client import SqlClientBase
from dlt.destinations.sql_jobs import SqlMergeFollowupJob, SqlStagingCopyFollowupJob

from etlfabric_dagster.connectors.base import CSV_NULL, PG_TYPE_HINT
from etlfabric_dagster.sandbox import types
from etlfabric_dagster.sandbox.arrow_csv import ParquetAsCsv
from etlfabric_dagster.sandbox.evolution import Retype
from etlfabric_dagster.sandbox.replace import ReplaceJob, ReplaceRequest
from etlfabric_dagster.schemas.jobs import Warehouse

COPY_CHUNK_BYTES = 1 << 20  # psycopg2's 8 KiB default halves the speed of COPY
_CREATED = re.compile(r'CREATE UNLOGGED TABLE ("[^"]+"\."[^"]+") AS ')
STAGING_LAYOUT = "%s_staging"

Table = Any
"""A table's or a column's schema: dlt's TypedDicts have no required key, not even the name."""


@dataclass
class LoadPlan:
    """What the final transaction of a table does besides, filled in per stream."""

    warehouse: Warehouse
    truncate: set[str] = field(default_factory=set)
    """Root tables whose rows a merge (scd2) replaces."""
    retypes: list[Retype] = field(default_factory=list)
    """Columns that get another type while their table is being replaced."""
    lost_views: list[str] = field(default_factory=list)
    """Views that could not be made again on the new types; filled in by the load."""


class ExactTypeMapper(PostgresTypeMapper):
    """Takes the connector's exact type where there is one; text is `text`, JSON is `jsonb`."""

    sct_to_unbound_dbt: ClassVar[dict[str, str]] = {
        **PostgresTypeMapper.sct_to_unbound_dbt,
        "text": "text",
    }

    def to_destination_type(self, column: Table, table: Table) -> str:
        exact = column.get(PG_TYPE_HINT)
        if isinstance(exact, str) and types.parse(exact):
            return exact
        if column["data_type"] == "json":
            return "jsonb"
        return types.canonical(super().to_destination_type(column, table))


class TenantPostgres(postgres):
    """The destination of one run."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        warehouse = plan.warehouse
        super().__init__(
            credentials={
                "drivername": "postgresql",
                "host": warehouse.host,
                "port": warehouse.port,
                "database": warehouse.database,
                "username": warehouse.username,
                "password": warehouse.password,
                "connect_timeout": 10,
            },
            create_indexes=False,
            destination_name="warehouse",
            replace_strategy="insert-from-staging",
            staging_dataset_name_layout=STAGING_LAYOUT,
        )

    def capabilities(
        self,
        config: PostgresClientConfiguration | None = None,
        naming: NamingConvention | None = None,
    ) -> DestinationCapabilitiesContext:
        """As dlt's, without a configuration that nothing of ours depends on: dlt asks 20 times in
        a load, and would resolve it anew each time.
        """
        return super().capabilities(config or self.spec(), naming)

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = super()._raw_capabilities()
        capabilities.preferred_loader_file_format = "parquet"
        capabilities.supported_loader_file_formats = ["parquet", "csv"]
        capabilities.loader_file_format_selector = None  # pyright: ignore[reportAttributeAccessIssue] - dlt's own default
        capabilities.type_mapper = ExactTypeMapper
        return capabilities

    @property
    def client_class(self) -> type[TenantClient]:
        return type("TenantClient", (TenantClient,), {"plan": self._plan})


class TenantClient(PostgresClient):
    """Loads files by COPY into staging, and staging into raw in one transaction."""

    plan: ClassVar[LoadPlan]

    def create_load_job(
        self, table: Table, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        file_format = ParsedLoadJobFileName.parse(file_path).file_format
        if file_format == "csv":
            return CsvCopyJob(file_path)
        if file_format == "parquet":
            return ParquetCopyJob(file_path)
        if table["write_disposition"] == "replace":
            return ReplaceJob(
                file_path, self.plan.warehouse, self.plan.retypes, self.plan.lost_views
            )
        return super().create_load_job(table, file_path, load_id, restore)

    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:
        return self._is_data(table_name)

    def update_stored_schema(
        self,
        only_tables: Any = None,
        expected_update: Any = None,
        force: bool = False,
    ) -> TSchemaTables | None:
        """Look at the tables themselves every time: one may have been dropped behind our back."""
        tables: Any = None if only_tables is None else list(only_tables)
        try:
            return super().update_stored_schema(tables, expected_update, True)
        except DatabaseTerminalException as exc:
            # Two pipelines of an org that both create dlt's tables: IF NOT EXISTS is not atomic.
            if not isinstance(exc.__cause__, psycopg2.errors.UniqueViolation):
                raise
            return super().update_stored_schema(tables, expected_update, True)

    def _create_append_followup_jobs(
        self, table_chain: Sequence[Table]
    ) -> list[FollowupJobRequest]:
        if not self._is_data(table_chain[0]["name"]):
            return []
        return [SqlStagingCopyFollowupJob.from_table_chain(table_chain, self.sql_client)]

    def _create_merge_followup_jobs(self, table_chain: Sequence[Table]) -> list[FollowupJobRequest]:
        truncates = table_chain[0]["name"] in self.plan.truncate
        job = TruncateMergeJob if truncates else StagedMergeJob
        return [job.from_table_chain(table_chain, self.sql_client)]

    def _create_replace_followup_jobs(
        self, table_chain: Sequence[Table]
    ) -> list[FollowupJobRequest]:
        return [ReplaceRequest(table_chain)]

    def _get_column_def_sql(self, c: Table, table: Table | None = None) -> str:
        """No NOT NULL: a column that sources call required can be added to a table with rows."""
        assert table is not None
        name = self.sql_client.escape_column_name(c["name"])
        return f"{name} {self.type_mapper.to_destination_type(c, table)}"

    def _is_data(self, table_name: str) -> bool:
        return table_name not in self.schema.dlt_table_names()


class StagedMergeJob(SqlMergeFollowupJob):
    """dlt's merge without temporary tables, which tenants may not create.

    What dlt wants to be temporary is a table of the staging schema that the same transaction drops:
    nobody ever sees it, and a killed merge leaves nothing.
    """

    @classmethod
    def generate_sql(
        cls, table_chain: Sequence[Table], sql_client: SqlClientBase[Any]
    ) -> list[str]:
        statements = super().generate_sql(table_chain, sql_client)
        names = [found[1] for found in map(_CREATED.match, statements) if found]
        return [*statements, *(f"DROP TABLE {name}" for name in names)]

    @classmethod
    def _new_temp_table_name(cls, table_name: str, op: str, sql_client: SqlClientBase[Any]) -> str:
        name = super()._new_temp_table_name(table_name, op, sql_client)
        with sql_client.with_staging_dataset():
            return sql_client.make_qualified_table_name(name)

    @classmethod
    def _to_temp_table(
        cls,
        select_sql: str,
        temp_table_name: str,
        unique_column: str,
        sql_client: SqlClientBase[Any],
    ) -> str:
        return f"CREATE UNLOGGED TABLE {temp_table_name} AS {select_sql}"


class TruncateMergeJob(StagedMergeJob):
    """A merge that starts from nothing: the full refresh of an scd2 stream."""

    @classmethod
    def _gen_table_setup_clauses(
        cls, table_chain: Sequence[Table], sql_client: SqlClientBase[Any]
    ) -> list[str]:
        names = [sql_client.make_qualified_table_name(table["name"]) for table in table_chain]
        return [f"TRUNCATE TABLE {', '.join(names)}"]


class CopyJob(RunnableLoadJob, HasFollowupJobs):
    """COPY of one file into the staging table, in one transaction."""

    def copy(self, columns: Sequence[str], options: str, file: Any) -> None:
        """Send `file` to the server."""
        client: Any = self._job_client.sql_client  # pyright: ignore[reportAttributeAccessIssue]
        listed = ", ".join(map(client.escape_column_name, columns))
        table = client.make_qualified_table_name(self.load_table_name)
        statement = f"COPY {table} ({listed}) FROM STDIN WITH (FORMAT csv, {options})"
        try:
            with client.begin_transaction(), client.native_connection.cursor() as cursor:
                cursor.copy_expert(statement, file, size=COPY_CHUNK_BYTES)
        except psycopg2.Error as exc:
            raise client._make_database_exception(exc) from exc


class CsvCopyJob(CopyJob):
    """A file import: `connectors.base` states its form."""

    def run(self) -> None:
        with FileStorage.open_zipsafe_ro(self._file_path, "rb") as file:
            header = file.readline().decode()
            file.seek(0)
            columns = next(csv.reader(io.StringIO(header)))
            self.copy(columns, f"HEADER, NULL '{CSV_NULL}'", file)


class ParquetCopyJob(CopyJob):
    """Items and Arrow tables, which dlt wrote as Parquet, sent as text that PostgreSQL parses.

    Exact for every type of the column: ADBC's binary COPY refuses uuid, jsonb and numeric.
    """

    def run(self) -> None:
        with ParquetAsCsv(self._file_path) as rows:
            self.copy(rows.columns, "NULL ''", rows)
