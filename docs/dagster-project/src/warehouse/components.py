"""The org's component with names of this project."""

from typing import Any

import dagster as dg
from dagster_dlt.translator import DltResourceTranslatorData

from etlfabric_dagster.orchestration.component import FabricTenantComponent
from etlfabric_dagster.orchestration.definitions import Translators
from etlfabric_dagster.orchestration.translators import FabricDbtTranslator, FabricDltTranslator


class LoadsByTeam(FabricDltTranslator):
    """Streams stand in one group, whichever pipeline loads them."""

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        """See `DagsterDltTranslator`."""
        return super().get_asset_spec(data).replace_attributes(group_name="loads")


class ModelsByLayer(FabricDbtTranslator):
    """Models stand in the group of their schema: staging or marts."""

    def get_group_name(self, dbt_resource_props: Any) -> str:
        """See `DagsterDbtTranslator`."""
        return self.get_asset_key(dbt_resource_props).path[1]


class WarehouseTenant(FabricTenantComponent):
    """An org, grouped as this project groups its assets."""

    def translators(self) -> Translators:
        """See `FabricTenantComponent`."""
        return Translators(dlt=LoadsByTeam, dbt=ModelsByLayer)
