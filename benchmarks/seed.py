"""Rows of everything that lists show, written by SQL: how orgs look after a long time."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import TextClause, text

from etlfabric_dagster.db import get_session, tenant_schema

_SERIES = "generate_series(CAST(:first AS int), CAST(:last AS int)) AS g"
_NAME = "lpad(g::text, 6, '0')"
_LATER = "clock_timestamp() - g * interval '7 minutes'"

_IN_ORG = (
    f"""
    INSERT INTO {{t}}.connections (id, name, connector, config, secret_names)
    SELECT gen_random_uuid(), 'c' || {_NAME}, 'rest_api',
        '{{"client": {{"base_url": "https://x.example/"}}, "resources": ["a"]}}', '[]'
    FROM {_SERIES}
    """,
    f"""
    INSERT INTO {{t}}.pipelines
        (id, name, connection_id, table_prefix, schema_policy, paused)
    SELECT gen_random_uuid(), 'p' || {_NAME}, c.id, '', 'evolve', false
    FROM {_SERIES} JOIN {{t}}.connections c ON c.name = 'c' || {_NAME}
    """,
    f"""
    INSERT INTO {{t}}.streams (id, pipeline_id, name, table_name, mode, lag_s, primary_key, columns,
        discovered, selected, tables, accepted_columns, needs_full_refresh)
    SELECT gen_random_uuid(), p.id, 's' || s, p.name || '_s' || s, 'full', 0, '[]', '{{}}', '[]',
        true, '[]', '[]', false
    FROM {_SERIES} JOIN {{t}}.pipelines p ON p.name = 'p' || {_NAME}, generate_series(1, 3) AS s
    """,
    f"""
    INSERT INTO {{t}}.schema_changes
        (id, pipeline_id, run_id, stream, table_name, change, decision, found_at)
    SELECT gen_random_uuid(), p.id, gen_random_uuid(), 's1', 't', 'added', 'taken',
        {_LATER}
    FROM {_SERIES}, (SELECT id FROM {{t}}.pipelines ORDER BY name LIMIT 1) AS p
    """,
    f"""
    INSERT INTO {{t}}.dbt_models (id, path, content, origin)
    SELECT gen_random_uuid(), 'marts/m' || {_NAME} || '.sql', 'select ' || g, 'tenant'
    FROM {_SERIES}
    """,
    f"""
    INSERT INTO {{t}}.dbt_model_versions (id, path, content, digest, action, author, created_at)
    SELECT gen_random_uuid(), 'marts/m000001.sql', 'select ' || g, md5(g::text), 'put', 'a',
        {_LATER}
    FROM {_SERIES}
    """,
    f"""
    WITH earlier AS (DELETE FROM {{t}}.dbt_manifests)
    INSERT INTO {{t}}.dbt_manifests (id, files_digest, manifest, packed, selections)
    SELECT gen_random_uuid(), 'seed', jsonb_build_object(
            'nodes', jsonb_object_agg('model.seed.m' || {_NAME}, jsonb_build_object(
                'unique_id', 'model.seed.m' || {_NAME}, 'resource_type', 'model',
                'name', 'm' || {_NAME}, 'schema', 'tenant_marts',
                'path', 'marts/m' || {_NAME} || '.sql',
                'original_file_path', 'models/marts/m' || {_NAME} || '.sql',
                'depends_on', jsonb_build_object('nodes', jsonb_build_array()),
                'description', repeat('What it tells. ', 150)
            )),
            'sources', jsonb_object_agg('source.seed.raw.p' || {_NAME} || '_s1',
                jsonb_build_object('resource_type', 'source', 'name', 'p' || {_NAME} || '_s1')),
            'parent_map', jsonb_object_agg('model.seed.m' || {_NAME},
                jsonb_build_array('source.seed.raw.p' || {_NAME} || '_s1'))
        ), '', jsonb_object_agg('p' || {_NAME}, jsonb_build_array('model.seed.m' || {_NAME}))
    FROM generate_series(1, CAST(:last AS int)) AS g
    """,
    f"""
    INSERT INTO schedules
        (id, org_id, pipeline_id, pipeline_name, cron, timezone, next_fire_at, paused)
    SELECT gen_random_uuid(), {{org}}, p.id, p.name, '*/15 * * * *', 'UTC',
        clock_timestamp() + interval '5 minutes', false
    FROM {_SERIES} JOIN {{t}}.pipelines p ON p.name = 'p' || {_NAME}
    """,
    f"""
    INSERT INTO usage_days
        (id, org_id, day, pipeline_id, pipeline_name, rows, bytes, run_s, runs, failed_runs)
    SELECT gen_random_uuid(), {{org}}, current_date - d, p.id, p.name, 1000, 100000, 12, 24, 1
    FROM {_SERIES} JOIN {{t}}.pipelines p ON p.name = 'p' || {_NAME}, generate_series(0, 89) AS d
    """,
    f"""
    INSERT INTO alert_channels (id, org_id, name, kind, config)
    SELECT gen_random_uuid(), {{org}}, 'a' || {_NAME}, 'email', '{{"to": ["a@example.com"]}}'
    FROM {_SERIES}
    """,
    f"""
    INSERT INTO alert_rules (id, org_id, name, kinds, channels, timezone, enabled)
    SELECT gen_random_uuid(), {{org}}, 'r' || {_NAME}, '["failure"]', '["a000001"]', 'UTC', true
    FROM {_SERIES}
    """,
    f"""
    INSERT INTO alert_incidents (id, org_id, rule_id, rule_name, kind, pipeline_id, pipeline_name,
        message, remedy, occurrences, opened_at, last_seen_at, recovered_at)
    SELECT gen_random_uuid(), {{org}}, r.id, r.name, 'failure', gen_random_uuid(), 'p', 'm', 'r', 1,
        {_LATER}, {_LATER}, {_LATER}
    FROM {_SERIES} JOIN alert_rules r ON r.org_id = {{org}} AND r.name = 'r' || {_NAME}
    """,
    f"""
    INSERT INTO alert_deliveries
        (id, org_id, incident_id, channel_id, event, status, attempts, next_attempt_at)
    SELECT gen_random_uuid(), {{org}}, i.id, c.id, 'opened', 'sent', 1, clock_timestamp()
    FROM {_SERIES} JOIN alert_incidents i ON i.org_id = {{org}} AND i.rule_name = 'r' || {_NAME}
    JOIN alert_channels c ON c.org_id = {{org}} AND c.name = 'a000001'
    """,
    f"""
    INSERT INTO users (id, email, is_operator, must_change_password)
    SELECT gen_random_uuid(), 'u' || {_NAME} || '@' || CAST({{org}} AS text), false, false
    FROM {_SERIES}
    """,
    f"""
    INSERT INTO memberships (id, org_id, user_id, role)
    SELECT gen_random_uuid(), {{org}}, u.id, 'viewer'
    FROM {_SERIES} JOIN users u ON u.email = 'u' || {_NAME} || '@' || CAST({{org}} AS text)
    """,
    f"""
    INSERT INTO sessions (id, user_id, expires_at)
    SELECT gen_random_uuid(), u.id, clock_timestamp() + interval '1 hour'
    FROM {_SERIES} JOIN users u ON u.email = 'u' || {_NAME} || '@' || CAST({{org}} AS text)
    """,
    f"""
    INSERT INTO api_tokens (id, user_id, org_id, name, token_hash, expires_at, read_only)
    SELECT gen_random_uuid(), u.id, {{org}}, 't', sha256((u.id::text)::bytea),
        clock_timestamp() + interval '1 hour', false
    FROM {_SERIES} JOIN users u ON u.email = 'u' || {_NAME} || '@' || CAST({{org}} AS text)
    """,
    f"""
    INSERT INTO invitations (id, org_id, email, role, token_hash, invited_by, expires_at)
    SELECT gen_random_uuid(), {{org}}, 'i' || g || '@example.com', 'viewer',
        sha256((gen_random_uuid()::text)::bytea), 'a', clock_timestamp() + interval '1 hour'
    FROM {_SERIES}
    """,
    f"""
    INSERT INTO audit_events (id, chain, seq, at, action, payload, payload_digest, hash)
    SELECT gen_random_uuid(), {{org}}, 1000000 + g, {_LATER}, 'connections.update',
        '{{"actor": "a", "via": "api", "target": "connections/shop"}}', '', ''
    FROM {_SERIES}
    """,
)

_RUNS = f"""
    INSERT INTO runs (id, org_id, pipeline_id, pipeline_name, trigger, selection, status, attempt,
        max_attempts, created_at, started_at, finished_at, rows_loaded, bytes_loaded, streams,
        models, created_by, alerted_at)
    SELECT gen_random_uuid(), {{org}}, p.id, p.name, 'schedule', '{{}}',
        CASE WHEN g % 20 = 0 THEN 'failed' ELSE 'succeeded' END, 1, 3, {_LATER},
        {_LATER} + interval '1 second', {_LATER} + interval '9 seconds', 1000, 100000,
        '{{"orders": {{"rows": 1000, "bytes": 100000, "seconds": 2, "status": "succeeded"}}}}',
        '{{}}', 'schedule', {_LATER}
    FROM {_SERIES} JOIN (
        SELECT id, name, row_number() OVER (ORDER BY name) - 1 AS place,
            count(*) OVER () AS pipelines
        FROM {{t}}.pipelines
    ) AS p ON g % p.pipelines = p.place
"""

_ORGS = """
    INSERT INTO orgs (id, slug, name, status, config_version, max_concurrent_runs, weight, sealed)
    SELECT gen_random_uuid(), 'seed_' || lpad(g::text, 6, '0'), 'Seed', 'active', 1, 2, 1, ''
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS g
"""

_RUNS_OF_OTHERS = """
    INSERT INTO runs (id, org_id, pipeline_id, pipeline_name, trigger, selection, status, attempt,
        max_attempts, created_at, finished_at, rows_loaded, bytes_loaded, streams, models,
        created_by, alerted_at)
    SELECT gen_random_uuid(), o.id, o.id, 'shop', 'schedule', '{}', 'succeeded', 1, 3, moment,
        moment, 10, 1000, '{}', '{}', 'schedule', moment
    FROM orgs o, generate_series(1, CAST(:each AS int)) AS g,
        LATERAL (SELECT clock_timestamp() - g * interval '3 hours' AS moment) AS m
    WHERE o.slug LIKE 'seed\\_%'
"""


async def fill(org_id: UUID, first: int, last: int) -> None:
    """One of each kind of row per number in an org, and three streams, 90 days of use."""
    async with get_session() as session:
        for statement in _IN_ORG:
            await session.execute(_of(org_id, statement), {"first": first, "last": last})


def _of(org_id: UUID, statement: str) -> TextClause:
    """The statement about an org. Its id is not a parameter: one would need a type per use."""
    org = f"CAST('{org_id}' AS uuid)"
    return text(statement.replace("{t}", tenant_schema(org_id)).replace("{org}", org))


async def add_runs(org_id: UUID, first: int, last: int) -> None:
    """Ended runs of the org's pipelines in turn, seven minutes apart."""
    async with get_session() as session:
        await session.execute(_of(org_id, _RUNS), {"first": first, "last": last})


async def add_orgs(count: int, runs_each: int) -> None:
    """Other orgs, as rows only, with runs."""
    async with get_session() as session:
        await session.execute(text(_ORGS), {"first": 1, "last": count})
        await session.execute(text(_RUNS_OF_OTHERS), {"each": runs_each})


async def settle() -> None:
    """What autovacuum does in time."""
    async with get_session() as session:
        connection = await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        await connection.execute(text("VACUUM ANALYZE"))
