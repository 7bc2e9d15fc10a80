"""Every private Dagster import of the project. Checked with dagster 1.13.27, webserver 1.13.27.

Nothing else imports `dagster._*`; when Dagster moves something, this is the file that breaks.
"""

from __future__ import annotations

from dagster._core.code_pointer import CustomPointer, ModuleCodePointer
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.definitions.repository_definition.repository_definition import (
    RepositoryDefinition,
)
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.api import (
    ExecuteRunWithPlanIterable,
    create_execution_plan,
    execute_run_iterator,
    job_execution_iterator,
)
from dagster._core.execution.context_creation_job import (
    PlanOrchestrationContextManager,
    orchestration_context_event_generator,
)
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.remote_representation.external_data import (
    JobDataSnap,
    JobRefSnap,
    RepositorySnap,
)
from dagster._core.remote_representation.grpc_server_state_subscriber import (
    LocationStateChangeEvent,
    LocationStateChangeEventType,
)
from dagster._core.remote_representation.handle import RepositoryHandle
from dagster._core.snap import JobSnap, snapshot_from_execution_plan
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.tags import (
    PARENT_RUN_ID_TAG,
    ROOT_RUN_ID_TAG,
)
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster._core.workspace.workspace import (
    CodeLocationEntry,
    CodeLocationLoadStatus,
    CurrentWorkspace,
    DefinitionsSource,
)
from dagster._daemon.controller import DagsterDaemonController, create_daemons_from_instance
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.server import DagsterApiServer
from dagster._serdes import (
    ConfigurableClass,
    ConfigurableClassData,
    deserialize_value,
    serialize_value,
)
from dagster._utils.error import (
    SerializableErrorInfo,  # pyright: ignore[reportPrivateImportUsage]: its home is dagster_shared
)

__all__ = [
    "DEFAULT_DAGSTER_ENTRY_POINT",
    "FINISHED_STATUSES",
    "NOT_FINISHED_STATUSES",
    "PARENT_RUN_ID_TAG",
    "ROOT_RUN_ID_TAG",
    "SINGLETON_REPOSITORY_NAME",
    "AssetCheckExecutionsTable",
    "CheckRunHealthResult",
    "CodeLocationEntry",
    "CodeLocationLoadStatus",
    "CodeLocationOrigin",
    "ConfigurableClass",
    "ConfigurableClassData",
    "CurrentWorkspace",
    "CustomPointer",
    "DagsterApiServer",
    "DagsterDaemonController",
    "DagsterExecutionInterruptedError",
    "DagsterGrpcClient",
    "DefinitionsLoadContext",
    "DefinitionsLoadType",
    "DefinitionsSource",
    "ExecuteRunWithPlanIterable",
    "ExecutionPlan",
    "GrpcServerCodeLocation",
    "GrpcServerCodeLocationOrigin",
    "JobDataSnap",
    "JobRefSnap",
    "JobSnap",
    "LaunchRunContext",
    "LocationStateChangeEvent",
    "LocationStateChangeEventType",
    "ModuleCodePointer",
    "PlanOrchestrationContextManager",
    "ReconstructableJob",
    "ReconstructableRepository",
    "RemoteJobOrigin",
    "RemoteRepository",
    "RemoteRepositoryOrigin",
    "RepositoryDefinition",
    "RepositoryHandle",
    "RepositorySnap",
    "RunLauncher",
    "SerializableErrorInfo",
    "SqlEventLogStorage",
    "SqlEventLogStorageTable",
    "WorkerStatus",
    "WorkspaceLoadTarget",
    "WorkspaceProcessContext",
    "create_daemons_from_instance",
    "create_execution_plan",
    "deserialize_value",
    "execute_run_iterator",
    "job_execution_iterator",
    "orchestration_context_event_generator",
    "serialize_value",
    "snapshot_from_execution_plan",
]
