"""What is kept with a connection once it was used."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import paramiko
import pytest

from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.services import connections
from etlfabric_dagster.services.scope import OPERATOR, org_scope
from tests.test_connectors.servers import SshServer, ssh_server


async def register(org: OrgOut, source: PostgresCluster, bastion: SshServer) -> None:
    """A connection `far` through the bastion, whose host key nobody gave."""
    text = io.StringIO()
    bastion.authorized.write_private_key(text)
    config = {
        "dialect": "postgresql",
        "host": "db.internal",
        "port": source.port,
        "database": "postgres",
        "username": "postgres",
        "ssh": {"host": "127.0.0.1", "port": bastion.port, "username": "tunnel"},
    }
    secrets = {"password": source.superuser_password, "ssh_private_key": text.getvalue()}
    async with org_scope(OPERATOR, org.slug) as scope:
        await connections.create(scope, "far", "sql_database", config, secrets)


async def kept_host_key(org: OrgOut) -> str | None:
    async with org_scope(OPERATOR, org.slug) as scope:
        return (await connections.get(scope, "far")).config["ssh"].get("host_key")


@pytest.mark.usefixtures("interactive_worker")
@pytest.mark.parametrize("first_use", [connections.check, connections.discover])
async def test_first_use_keeps_the_ssh_servers_key_and_no_other_is_trusted_later(
    org: OrgOut, source_cluster: PostgresCluster, first_use: Callable[..., Any]
) -> None:
    key = paramiko.RSAKey.generate(2048)
    with ssh_server(key) as bastion:
        await register(org, source_cluster, bastion)
        assert await kept_host_key(org) is None
        await first_use(OPERATOR, org.slug, "far")
        trusted = bastion.host_key
        assert await kept_host_key(org) == trusted
        assert (await connections.check(OPERATOR, org.slug, "far")).ok

        bastion.key = paramiko.RSAKey.generate(2048)
        refused = await connections.check(OPERATOR, org.slug, "far")
        assert (refused.ok, refused.code) == (False, "ssh_host_key")
        assert await kept_host_key(org) == trusted


@pytest.mark.usefixtures("interactive_worker")
async def test_change_that_does_not_work_is_tried_and_not_kept(
    org: OrgOut, shop_source: tuple[dict[str, Any], dict[str, str]]
) -> None:
    config, secrets = shop_source
    async with org_scope(OPERATOR, org.slug) as scope:
        made = await connections.create(scope, "shop", "sql_database", config, secrets)

    wrong = {"password": "not the password"}
    refused = await connections.try_update(OPERATOR, org.slug, "shop", config=config, secrets=wrong)
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (refused.code, await connections.get(scope, "shop")) == ("login_refused", made)

    narrower = {**config, "schema": "public"}
    assert (await connections.try_update(OPERATOR, org.slug, "shop", config=narrower)).ok
    async with org_scope(OPERATOR, org.slug) as scope:
        kept = await connections.get(scope, "shop")
    assert kept.config == narrower
    assert kept.last_check is not None
    assert kept.last_check.ok
