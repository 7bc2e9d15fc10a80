"""Whose turn it is in the run queue, as SQL: what a worker claims, and whom a doorbell helps."""

from __future__ import annotations

from sqlalchemy import text

AT_WORK_S = 900.0
"""An org that claimed a run so lately is at work: many schedules come every quarter of an hour."""

# The fairest startable run: of an org with a free slot, whose pipeline is idle. The org that runs
# least relative to its weight comes first; among equals the one whose turn it is: a claim moves its
# turn by 1/weight, from one turn behind the others at most: who was idle saves nothing up. Within
# an org the doorbell's own run, then the oldest. The lock on its turn puts an org's claims in line.
#
# The last free slot of all workers is for orgs that run nothing, while two are at work: else
# whoever fills all slots makes the next one wait for the end of a load.
CLAIM = text(
    """
    WITH open AS (
        SELECT org_id, count(*) FILTER (WHERE status = 'running') AS running
        FROM runs WHERE status IN ('queued', 'running') GROUP BY org_id
    ), at_work AS MATERIALIZED (
        SELECT org_id FROM org_turns
        WHERE claimed_at > clock_timestamp() - make_interval(secs => :at_work)
        ORDER BY claimed_at DESC LIMIT 2
    ), next AS (
        SELECT r.id, r.org_id, o.slug, o.weight, o.config_version, o.max_concurrent_runs
        FROM runs r
        JOIN open b ON b.org_id = r.org_id
        JOIN orgs o ON o.id = r.org_id AND o.status = 'active'
        JOIN org_turns t ON t.org_id = r.org_id
        WHERE r.status = 'queued' AND b.running < o.max_concurrent_runs
          AND (b.running = 0 OR :slots < 2
            OR (SELECT sum(running) FROM open) < :slots - 1
            OR NOT EXISTS (SELECT 1 FROM at_work x WHERE x.org_id <> r.org_id))
          AND NOT EXISTS (
            SELECT 1 FROM runs x WHERE x.pipeline_id = r.pipeline_id AND x.status = 'running')
        ORDER BY b.running::float / o.weight, t.turn, (r.id = :hint) DESC, r.created_at
        LIMIT 1 FOR UPDATE OF r SKIP LOCKED FOR NO KEY UPDATE OF t
    ), turn AS (
        UPDATE org_turns t SET claimed_at = clock_timestamp(),
            turn = 1.0 / next.weight + greatest(t.turn, (
                SELECT min(x.turn) - 1 FROM org_turns x
                JOIN open b ON b.org_id = x.org_id WHERE x.org_id <> next.org_id))
        FROM next WHERE t.org_id = next.org_id
    )
    UPDATE runs r SET status = 'running', attempt = attempt + 1, token = :token,
        lease_until = clock_timestamp() + make_interval(secs => :lease),
        started_at = coalesce(started_at, clock_timestamp()), error = NULL
    FROM next LEFT JOIN code_locations l ON l.org_id = next.org_id WHERE r.id = next.id
    RETURNING r.id AS run_id, r.org_id, next.slug AS org_slug, r.pipeline_id, r.pipeline_name,
        r.attempt AS number, r.trigger, r.selection, next.max_concurrent_runs,
        next.config_version AS configured, coalesce(l.version, 0) AS published
    """
)

RUNNING = text("SELECT count(*) FROM runs WHERE org_id = :org_id AND status = 'running'")
"""Asked after a claim, hence of a newer snapshot: what another worker claimed in that moment."""

# An org gets as many doorbells as it may start runs: a thousand more would each cost a claim that
# finds nothing, from workers that others wait for.
RING_STALE = text(
    """
    WITH open AS (
        SELECT org_id, count(*) FILTER (WHERE status = 'running') AS running
        FROM runs WHERE status IN ('queued', 'running') GROUP BY org_id
    ), startable AS (
        SELECT r.id, r.rung_at, o.max_concurrent_runs - b.running AS room,
            row_number() OVER (PARTITION BY r.org_id ORDER BY r.rung_at) AS place
        FROM runs r
        JOIN open b ON b.org_id = r.org_id
        JOIN orgs o ON o.id = r.org_id AND o.status = 'active'
        WHERE r.status = 'queued' AND NOT EXISTS (
            SELECT 1 FROM runs x WHERE x.pipeline_id = r.pipeline_id AND x.status = 'running')
    ), silent AS MATERIALIZED (
        SELECT id FROM runs WHERE status = 'queued' AND id IN (
            SELECT id FROM startable WHERE place <= room
              AND rung_at < clock_timestamp() - make_interval(secs => :stale)
            ORDER BY rung_at LIMIT :room)
        FOR UPDATE SKIP LOCKED
    )
    UPDATE runs SET rung_at = clock_timestamp() WHERE id IN (SELECT id FROM silent) RETURNING id
    """
)
