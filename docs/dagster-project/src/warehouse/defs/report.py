"""An asset of this project on an org's mart."""

import dagster as dg


@dg.asset(deps=[dg.AssetKey(["northwind", "marts", "daily_orders"])], group_name="reports")
def weekly_report() -> None:
    """What follows the mart."""
