"""A Dagster project that shows an org of ETL Fabric beside assets of its own."""
