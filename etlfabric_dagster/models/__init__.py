"""SQLAlchemy models: data shape only. Importing this package registers every table."""

from etlfabric_dagster.models.alerts import (
    AlertChannel,
    AlertDelivery,
    AlertIncident,
    AlertRule,
)
from etlfabric_dagster.models.audit import AuditChain, AuditEvent
from etlfabric_dagster.models.base import Base, TenantMixin, TimestampMixin, tenant_metadata
from etlfabric_dagster.models.connections import Connection
from etlfabric_dagster.models.dbt_models import DbtDraft, DbtManifest, DbtModel, DbtModelVersion
from etlfabric_dagster.models.idempotency import IdempotencyKey
from etlfabric_dagster.models.orgs import CodeLocation, CodeLocationJob, Org
from etlfabric_dagster.models.pipelines import (
    LoadedTable,
    Pipeline,
    PipelineState,
    SchemaChangeRow,
    Stream,
)
from etlfabric_dagster.models.requests import InteractiveRequest
from etlfabric_dagster.models.runs import DbtBuildLease, OrgTurn, Run, RunAttempt
from etlfabric_dagster.models.schedules import Schedule
from etlfabric_dagster.models.usage import Quota, UsageDay
from etlfabric_dagster.models.users import (
    ApiToken,
    EmailClaim,
    Invitation,
    Membership,
    PasswordReset,
    Session,
    User,
)

__all__ = [
    "AlertChannel",
    "AlertDelivery",
    "AlertIncident",
    "AlertRule",
    "ApiToken",
    "AuditChain",
    "AuditEvent",
    "Base",
    "CodeLocation",
    "CodeLocationJob",
    "Connection",
    "DbtBuildLease",
    "DbtDraft",
    "DbtManifest",
    "DbtModel",
    "DbtModelVersion",
    "IdempotencyKey",
    "InteractiveRequest",
    "EmailClaim",
    "Invitation",
    "LoadedTable",
    "Membership",
    "Org",
    "OrgTurn",
    "PasswordReset",
    "Pipeline",
    "PipelineState",
    "Quota",
    "Run",
    "RunAttempt",
    "Schedule",
    "SchemaChangeRow",
    "Session",
    "Stream",
    "TenantMixin",
    "TimestampMixin",
    "UsageDay",
    "User",
    "tenant_metadata",
]
