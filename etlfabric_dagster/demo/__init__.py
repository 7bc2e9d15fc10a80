"""The demo: a shop's database and an uploaded file, loaded and transformed as org `demo`.

Owns the demo's source database, its dbt models and its org; reaches the platform only through
`Fabric`, as a user would.
"""

from etlfabric_dagster.demo.org import NEW_ORDERS, SLUG, add_orders, is_loaded, load

__all__ = ["NEW_ORDERS", "SLUG", "add_orders", "is_loaded", "load"]
