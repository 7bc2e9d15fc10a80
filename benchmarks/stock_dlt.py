"""What one writes without ETL Fabric: a dlt script, and the same as assets of dagster-dlt.

Run as a script it loads once; loaded by `dagster job execute` it is the job `sync`.
"""

import os
from pathlib import Path

import dagster as dg
import dlt
from dagster_dlt import DagsterDltResource, dlt_assets
from dlt.sources.sql_database import sql_database
from sqlalchemy import make_url

_URL = make_url("postgresql+psycopg2://").set(
    **{
        {"dbname": "database", "user": "username"}.get(key, key): int(text)
        if key == "port"
        else text
        for key, _, text in (part.partition("=") for part in os.environ["STOCK_SOURCE"].split())
        if key in ("host", "port", "dbname", "user", "password")
    }
)


def _source() -> dlt.sources.DltSource:
    found = sql_database(
        _URL.render_as_string(hide_password=False),
        table_names=os.environ["STOCK_TABLES"].split(","),
    )
    for resource in found.resources.values():
        cursor = dlt.sources.incremental("updated_at")
        resource.apply_hints(incremental=cursor, primary_key="id", write_disposition="merge")
    return found


_target = _URL.set(drivername="postgresql", database="peers").render_as_string(hide_password=False)
_pipeline = dlt.pipeline(
    "stock_script" if __name__ == "__main__" else "stock_dagster",
    pipelines_dir=str(Path(os.environ["HOME"]) / "dlt"),
    destination=dlt.destinations.postgres(_target),
    dataset_name="stock_script" if __name__ == "__main__" else "stock_dagster",
)


@dlt_assets(dlt_source=_source(), dlt_pipeline=_pipeline)
def tables(context: dg.AssetExecutionContext, dlt_resource: DagsterDltResource):
    """All tables of the source."""
    yield from dlt_resource.run(context=context)


defs = dg.Definitions(
    assets=[tables],
    jobs=[dg.define_asset_job("sync")],
    resources={"dlt_resource": DagsterDltResource()},
)

if __name__ == "__main__":
    _pipeline.run(_source())
