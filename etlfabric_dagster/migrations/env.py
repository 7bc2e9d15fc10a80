"""What the `alembic` command runs.

`alembic upgrade head` does what `etlfabric db upgrade` does: `public`, then every tenant.
`alembic revision --autogenerate` compares `public`; `alembic -n tenant revision --autogenerate`
compares the tenant tables with those of one tenant.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text

from etlfabric_dagster.config import settings
from etlfabric_dagster.models import Base, tenant_metadata
from etlfabric_dagster.models.base import TENANT_SCHEMA
from etlfabric_dagster.services import migrations


def _compares() -> bool:
    """Whether the command is `revision --autogenerate` or `check`."""
    options = context.config.cmd_opts
    if options is None:
        return False
    return getattr(options, "autogenerate", False) or options.cmd[0].__name__ == "check"


def _is_ours(name: str | None, _type: str, _parents: object) -> bool:
    return name != "alembic_version"


def _compare() -> None:
    engine = create_engine(settings.database.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        if context.config.config_ini_section != "tenant":
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                include_name=_is_ours,
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
                include_name=_is_ours,
                compare_type=True,
            )
        context.run_migrations()


if _compares():
    _compare()
else:
    migrations.upgrade_all()
