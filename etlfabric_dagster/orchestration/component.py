"""An org in a Dagster project of one's own: `dg` finds this component by its type's name.

```yaml
type: etlfabric_dagster.orchestration.component.FabricTenantComponent
attributes:
  org: acme
```
"""

from __future__ import annotations

import dagster as dg

from etlfabric_dagster import aio
from etlfabric_dagster.orchestration.definitions import Translators, build_definitions
from etlfabric_dagster.services import snapshots


class FabricTenantComponent(dg.Component, dg.Model, dg.Resolvable):
    """The published definitions of one org of this install (ETLFABRIC_HOME).

    Subclass it and override `translators` to group and describe assets in your own way. Keys are
    the platform's: runs record their materializations under them.
    """

    org: str

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Read the newest published version. Blocking. Raises NotFoundError."""
        return build_definitions(aio.run(snapshots.load(self.org)), self.translators())

    def translators(self) -> Translators:
        """Who names streams and dbt nodes."""
        return Translators()
