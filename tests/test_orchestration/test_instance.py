"""Dagster's instance as processes of the install hold it."""

from __future__ import annotations

import dagster as dg
import psycopg

from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded.postgres import PostgresCluster


def test_connections_that_the_server_closed_are_replaced_unseen(
    instance: dg.DagsterInstance, cluster: PostgresCluster
) -> None:
    def ask() -> None:
        instance.get_runs(limit=1)
        instance.event_log_storage.get_asset_records([])
        instance.event_log_storage.has_asset_key(dg.AssetKey("nothing"))
        instance.schedule_storage.all_instigator_state()  # type: ignore[union-attr]

    ask()
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        closed = conn.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = %s",
            (settings.dagster_database.database,),
        ).fetchone()
    assert closed
    assert closed[0] >= 3  # one of each storage
    ask()
