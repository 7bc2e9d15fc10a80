"""What the `alembic` command runs.

`alembic upgrade head` does what `etlfabric db upgrade` does: `public`, then every tenant.
`alembic revision
--autogenerate` compares `public`; with `-x branch=tenant` it compares the tenant tables with
those of one tenant.
"""

from __future__ import annotations

from alembic import context
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from etlfabric_dagster.config import settings
from etlfabric_dagster.models import Base, tenant_metadata
from etlfabric_dagster.models.base import TENANT_SCHEMA
from etlfabric_dagster.services import migrations


def _is_autogenerate() -> bool:
    options = context.config.cmd_opts
    return bool(options is not None and getattr(options, "autogenerate", False))


def _place(
    _context: MigrationContext, _revision: object, directives: list[MigrationScript]
) -> None:
    """Put the new revision on its branch, in its folder."""
    branch = context.get_x_argument(as_dictionary=True).get("branch", "public")
    directives[0].head = f"{branch}@head"
    directives[0].version_path = str(migrations.branch_folder(branch))


def _autogenerate() -> None:
    branch = context.get_x_argument(as_dictionary=True).get("branch", "public")
    engine = create_engine(settings.database.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        if branch == "public":
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                version_table_schema="public",
                process_revision_directives=_place,
                compare_type=True,
            )
        else:
            schema = connection.scalar(
                text("SELECT 'tenant_' || replace(id::text, '-', '') FROM orgs LIMIT 1")
            )
            connection = connection.execution_options(schema_translate_map={TENANT_SCHEMA: schema})
            connection.execute(text(f'SET search_path = "{schema}"'))
            connection.dialect.default_schema_name = schema
            context.configure(
                connection=connection,
                target_metadata=migrations.unqualified(tenant_metadata),
                process_revision_directives=_place,
                compare_type=True,
            )
        context.run_migrations()


if _is_autogenerate():
    _autogenerate()
else:
    migrations.upgrade_all()
