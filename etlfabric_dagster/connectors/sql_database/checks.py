"""Trying a connection, step by step; each step named in the answer really ran."""

from __future__ import annotations

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.dialects import open_session
from etlfabric_dagster.connectors.sql_database.road import open_road
from etlfabric_dagster.connectors.sql_database.session import Session
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import CheckResult, CheckStep

_STEP_OF_CODE = {
    "host_unknown": "name",
    "egress_denied": "address",
    "unreachable": "reach",
    "tls_refused": "tls",
    "tls_untrusted": "tls",
    "tls_other_name": "tls",
    "bad_ca": "tls",
    "tls_unsupported": "tls",
    "database_unknown": "database",
    "schema_unknown": "schema",
    "permission": "permission",
    "invalid_input": "config",
    "missing_secret": "config",
    "driver_missing": "driver",
}


def check(source: SourceConfig) -> CheckResult:
    """Try it for real. Never raises for a bad source.

    The result carries the host key of an SSH server of which none was known.
    """
    steps: list[CheckStep] = []
    result, host_key = _check(source, steps)
    return result.model_copy(update={"host_key": host_key})


def _check(source: SourceConfig, steps: list[CheckStep]) -> tuple[CheckResult, str]:
    host_key = ""
    try:
        target = Target.parse(source)
        host_key = _reach(target, steps)
        target = target.trusting(host_key)
        with open_session(target) as session:
            steps.append(CheckStep(name="tls", ok=True, detail=session.encryption or "off"))
            steps.append(CheckStep(name="login", ok=True, detail=target.username))
            return _permissions(session, target, steps), host_key
    except FabricError as exc:
        name = _STEP_OF_CODE.get(exc.code, "ssh" if exc.code.startswith("ssh") else "login")
        steps.append(CheckStep(name=name, ok=False, detail=exc.message))
        return _answer(exc, steps, ok=False), host_key


def _reach(target: Target, steps: list[CheckStep]) -> str:
    """Name and address, or the tunnel; then one TCP connection. Returns a host key that is new."""
    new_key = ""
    with open_road(target, trust_first=True) as road:
        if target.ssh and road.ssh:
            new_key = "" if target.ssh.host_key else road.ssh.host_key
            how = "trusted from now on" if new_key else "as known"
            detail = f"{target.ssh.host}, host key {road.ssh.fingerprint}, {how}"
            steps.append(CheckStep(name="ssh", ok=True, detail=detail))
        else:
            steps.append(CheckStep(name="name", ok=True, detail=f"{target.host} is {road.address}"))
            steps.append(CheckStep(name="address", ok=True, detail="may be dialled"))
        road.dial().close()
        steps.append(CheckStep(name="reach", ok=True, detail=target.address))
    return new_key


def _permissions(session: Session, target: Target, steps: list[CheckStep]) -> CheckResult:
    """All readable: fine. Some: fine, and said. None, or no schema: not fine."""
    schemas = session.schemas()
    if target.schema not in schemas:
        raise problems.no_schema(target, schemas)
    steps.append(CheckStep(name="schema", ok=True, detail=target.schema))
    readable, closed = session.tables()
    if not closed:
        kinds = "table or view" if len(readable) == 1 else "tables and views"
        detail = f"{len(readable):,} {kinds}"
        steps.append(CheckStep(name="permission", ok=True, detail=detail))
        return CheckResult(ok=True, steps=tuple(steps))
    problem = problems.unreadable(target, closed, len(readable) + len(closed))
    steps.append(CheckStep(name="permission", ok=False, detail=problem.message))
    return _answer(problem, steps, ok=bool(readable))


def _answer(exc: FabricError, steps: list[CheckStep], *, ok: bool) -> CheckResult:
    return CheckResult(
        ok=ok,
        cause=exc.message,
        remedy=exc.remedy,
        code=exc.code,
        steps=tuple(steps),
        grant=str(exc.where.get("grant", "")),
    )
