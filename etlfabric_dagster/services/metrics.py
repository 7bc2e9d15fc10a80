"""The install's figures for Prometheus, by org and pipeline, read from rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import RowMapping, text

from etlfabric_dagster.db import get_session
from etlfabric_dagster.schemas.usage import Metric, Sample

_USED = text(
    """
    SELECT o.slug AS org, u.pipeline_name AS pipeline,
        sum(u.rows) AS rows, sum(u.bytes) AS bytes, sum(u.run_s) AS seconds,
        sum(u.runs) - sum(u.failed_runs) AS ended_well, sum(u.failed_runs) AS failed
    FROM usage_days u JOIN orgs o ON o.id = u.org_id
    GROUP BY 1, 2 ORDER BY 1, 2
    """
)
_OPEN = text(
    """
    SELECT o.slug AS org, r.pipeline_name AS pipeline,
        count(*) FILTER (WHERE r.status = 'queued') AS queued,
        count(*) FILTER (WHERE r.status = 'running') AS running,
        coalesce(extract(epoch FROM clock_timestamp()
            - min(r.created_at) FILTER (WHERE r.status = 'queued')), 0) AS oldest_s
    FROM runs r JOIN orgs o ON o.id = r.org_id
    WHERE r.status IN ('queued', 'running') GROUP BY 1, 2 ORDER BY 1, 2
    """
)
_FRESH = text(
    """
    SELECT o.slug AS org, r.pipeline_name AS pipeline,
        extract(epoch FROM max(r.finished_at)) AS finished
    FROM runs r JOIN orgs o ON o.id = r.org_id
    WHERE r.status = 'succeeded' GROUP BY 1, 2 ORDER BY 1, 2
    """
)
_COUNTERS = (
    ("rows", "etlfabric_pipeline_rows_loaded_total", "Rows that reached the raw schema."),
    ("bytes", "etlfabric_pipeline_bytes_loaded_total", "Bytes that reached the raw schema."),
    ("seconds", "etlfabric_pipeline_run_seconds_total", "Seconds that attempts ran."),
    ("ended_well", "etlfabric_pipeline_runs_ended_total", "Runs that ended without failing."),
    ("failed", "etlfabric_pipeline_runs_failed_total", "Runs that failed."),
)
_GAUGES = (
    ("queued", "etlfabric_pipeline_runs_queued", "Runs that wait."),
    ("running", "etlfabric_pipeline_runs_running", "Runs at work."),
    (
        "oldest_s",
        "etlfabric_pipeline_oldest_queued_seconds",
        "How long the oldest queued run has waited.",
    ),
)


async def snapshot() -> tuple[Metric, ...]:
    """All metrics of the install: three queries, whatever the number of orgs."""
    async with get_session() as session:
        used = (await session.execute(_USED)).mappings().all()
        waiting = (await session.execute(_OPEN)).mappings().all()
        fresh = (await session.execute(_FRESH)).mappings().all()
    last = (
        "finished",
        "etlfabric_pipeline_last_success_timestamp_seconds",
        "End of the last good run.",
    )
    return (
        *(_metric(spec, used, "counter") for spec in _COUNTERS),
        *(_metric(spec, waiting, "gauge") for spec in _GAUGES),
        _metric(last, fresh, "gauge"),
    )


def render(metrics: Iterable[Metric]) -> str:
    """The Prometheus text format, version 0.0.4."""
    lines: list[str] = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += [f"{metric.name}{{{_labels(s)}}} {s.value:.17g}" for s in metric.samples]
    return "\n".join(lines) + "\n"


def _metric(spec: tuple[str, str, str], rows: Sequence[RowMapping], kind: str) -> Metric:
    column, name, help_text = spec
    samples = tuple(
        Sample(
            labels={"org": row["org"], "pipeline": row["pipeline"]},
            value=float(row[column]),
        )
        for row in rows
    )
    return Metric(name=name, help=help_text, kind=kind, samples=samples)


def _labels(sample: Sample) -> str:
    """Names hold neither quotes nor backslashes: an org's slug and a pipeline's name."""
    return ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
