"""The dbt project of an org."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from etlfabric_dagster.fabric.base import InOrg
from etlfabric_dagster.fabric.gateway import Request, at, nothing, sent, whole
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.dbt_models import (
    CompiledModel,
    DbtModelOut,
    DbtTestOut,
    DbtVersion,
    FormattedSql,
    ImportReport,
    TableResult,
)
from etlfabric_dagster.services import archives, dbt_editing, dbt_history, dbt_models, dbt_tests
from etlfabric_dagster.services.scope import Actor, OrgScope


class DbtModels(InOrg):
    """The org's dbt project."""

    def put(
        self, path: str, *, sql: str, draft: bool = False, expected: str | None = None
    ) -> DbtModelOut:
        """Store a file (SQL, YAML or CSV); parsed first. Raises TransformError, InvalidInputError.

        With `draft`, what does not compile is kept beside the project; builds do not see it. With
        `expected`, the `version` it was made from ("" for a new file), EditedMeanwhileError when
        the file is of another.

        >>> demo.dbt_models.put("marts/one.sql", sql="select 1 as one").kind
        'model'
        """
        return self._ask(
            lambda actor, slug: dbt_models.put(
                actor, slug, path, sql, draft=draft, expected=expected
            ),
            sent(
                "PUT",
                at("dbt-models", path),
                DbtModelOut,
                {"content": sql, "draft": draft, "expected": expected},
            ),
        )

    def history(self, path: str) -> tuple[DbtVersion, ...]:
        """Versions of a file, newest first, at most 200.

        >>> model = demo.dbt_models.put("marts/four.sql", sql="select 4 as four")
        >>> [version.action for version in demo.dbt_models.history("marts/four.sql")]
        ['put']
        """
        return self._scoped(
            lambda scope: dbt_history.list_versions(scope, path, limit=dbt_history.KEPT),
            sent("GET", "dbt-history", Page[DbtVersion], path=path, limit=dbt_history.KEPT),
        ).items

    def diff(self, path: str, version: UUID, against: UUID | None = None) -> str:
        """A unified diff from a version to the stored file, or to another version.

        >>> model = demo.dbt_models.put("marts/five.sql", sql="select 5 as five")
        >>> demo.dbt_models.diff("marts/five.sql", demo.dbt_models.history("marts/five.sql")[0].id)
        ''
        """

        def read(body: bytes) -> str:
            return json.loads(body)["diff"]

        params = {"path": path} | ({"against": str(against)} if against else {})
        return self._scoped(
            lambda scope: dbt_history.diff(scope, path, version, against),
            Request("GET", at("dbt-history", version, "diff"), read, params=params),
        )

    def restore(self, path: str, version: UUID) -> DbtModelOut:
        """Store an older version again; parsed first. Raises NotFoundError, TransformError.

        >>> model = demo.dbt_models.put("marts/six.sql", sql="select 5 as six")
        >>> model = demo.dbt_models.put("marts/six.sql", sql="select 6 as six")
        >>> first = demo.dbt_models.history("marts/six.sql")[-1]
        >>> demo.dbt_models.restore("marts/six.sql", first.id).content
        'select 5 as six'
        """
        return self._ask(
            lambda actor, slug: dbt_models.restore(actor, slug, path, version),
            sent("POST", at("dbt-history", version, "restore"), DbtModelOut, path=path),
        )

    def get(self, path: str) -> DbtModelOut:
        """One file with its content. Raises NotFoundError.

        >>> demo.dbt_models.get("staging/stg_orders.sql").origin.value
        'generated'
        """
        return self._scoped(
            lambda scope: dbt_models.get(scope, path),
            sent("GET", at("dbt-models", path), DbtModelOut),
        )

    def list(self) -> tuple[DbtModelOut, ...]:
        """All files by path, generated ones included.

        >>> "marts/daily_orders.sql" in [model.path for model in demo.dbt_models.list()]
        True
        """

        async def here(scope: OrgScope) -> tuple[DbtModelOut, ...]:
            return (await dbt_models.list_models(scope)).items

        return self._scoped(here, whole("dbt-models", DbtModelOut))

    def delete(self, path: str) -> None:
        """Delete a file; refused while others refer to it.

        >>> model = demo.dbt_models.put("marts/two.sql", sql="select 2 as two")
        >>> demo.dbt_models.delete("marts/two.sql")
        """
        self._ask(
            lambda actor, slug: dbt_models.delete(actor, slug, path),
            nothing("DELETE", at("dbt-models", path)),
        )

    def preview(self, path: str, *, limit: int = 20, sql: str | None = None) -> TableResult:
        """First rows of a model, with `sql` of what it would be, run read-only.

        >>> found = demo.dbt_models.preview("marts/daily_orders.sql", limit=3)
        >>> len(found.rows), found.columns[0].name
        (3, 'day')
        """
        return self._ask(
            lambda actor, slug: dbt_models.preview(actor, slug, path, limit=limit, content=sql),
            sent(
                "POST",
                at("dbt-models", path, "preview"),
                TableResult,
                {"content": sql},
                limit=limit,
            ),
        )

    def compiled(self, path: str, *, sql: str | None = None) -> str:
        """A model's SQL, with `sql` of what it would be, as the database gets it.

        >>> demo.dbt_models.compiled("marts/sum.sql", sql="select {{ 1 + 1 }} as two")
        'select 2 as two'
        """
        there = sent("POST", at("dbt-models", path, "compiled"), CompiledModel, {"content": sql})
        found = self._ask(
            lambda actor, slug: dbt_models.compiled(actor, slug, path, content=sql), there
        )
        return found.compiled_sql

    def format(self, sql: str) -> str:
        """SQL in one style; Jinja is left as it is. Raises TransformError.

        >>> demo.dbt_models.format("select a,b from c")
        'select a, b from c\\n'
        """

        async def here(actor: Actor, slug: str) -> FormattedSql:
            return FormattedSql(sql=await dbt_editing.format_sql(actor, slug, sql))

        there = sent("POST", "dbt-models/format", FormattedSql, {"sql": sql})
        return self._ask(here, there).sql

    def tests(self, path: str) -> tuple[DbtTestOut, ...]:
        """dbt tests of a model, and how they last ended. Raises NotFoundError.

        >>> [test.column for test in demo.dbt_models.tests("staging/stg_orders.sql")]
        [...]
        """
        return self._scoped(
            lambda scope: dbt_tests.list_tests(scope, path),
            sent("GET", at("dbt-models", path, "tests"), Page[DbtTestOut]),
        ).items

    def failing_rows(self, path: str, test: str, *, limit: int = 100) -> TableResult:
        """Rows that a test of a model, by its unique id, finds now. Raises NotFoundError.

        >>> test = demo.dbt_models.tests("staging/stg_orders.sql")[0]
        >>> demo.dbt_models.failing_rows("staging/stg_orders.sql", test.unique_id).rows
        ()
        """
        there = at("dbt-models", path, "tests", test, "rows")
        return self._ask(
            lambda actor, slug: dbt_tests.failing_rows(actor, slug, path, test, limit=limit),
            sent("GET", there, TableResult, limit=limit),
        )

    def import_project(self, files: Mapping[str, bytes]) -> ImportReport:
        """Take an existing dbt project: path → content.

        >>> report = demo.dbt_models.import_project({"models/three.sql": b"select 3 as three"})
        >>> report.imported
        ('marts/three.sql',)
        """
        read = ImportReport.model_validate_json
        return self._ask(
            lambda actor, slug: dbt_models.import_project(actor, slug, files),
            Request("POST", "dbt-models/import", read, content=lambda: archives.packed(files)),
        )
