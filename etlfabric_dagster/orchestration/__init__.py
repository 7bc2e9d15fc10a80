"""The Dagster plugin: the only package that imports dagster. It never reads a tenant's secrets."""
