"""dbt files remember every stored content; what does not compile waits as a draft."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from etlfabric_dagster.errors import InvalidInputError, NotFoundError, TransformError
from etlfabric_dagster.services import dbt_history, dbt_models, dbt_store, orgs
from etlfabric_dagster.services.scope import OPERATOR, org_scope

pytestmark = pytest.mark.usefixtures("interactive_worker")

ANA = replace(OPERATOR, label="ana@example.com")
PATH = "marts/one.sql"
BROKEN = "select * from {{ ref('nosuch') }}"


async def versions(slug: str, path: str = PATH, **options):
    async with org_scope(OPERATOR, slug) as scope:
        return await dbt_history.list_versions(scope, path, **options)


async def show(slug: str, path: str = PATH):
    async with org_scope(OPERATOR, slug) as scope:
        return await dbt_models.get(scope, path)


async def test_each_put_keeps_a_version_that_can_be_compared_and_restored(org):
    await dbt_models.put(ANA, org.slug, PATH, "select 1 as one")
    await dbt_models.put(OPERATOR, org.slug, PATH, "select 2 as one")
    await dbt_models.put(OPERATOR, org.slug, PATH, "select 2 as one")  # nothing new
    second, first = (await versions(org.slug)).items
    assert (first.author, second.author) == ("ana@example.com", "operator")
    async with org_scope(OPERATOR, org.slug) as scope:
        text = await dbt_history.diff(scope, PATH, first.id)
        assert await dbt_history.diff(scope, PATH, second.id) == ""
        assert await dbt_history.diff(scope, PATH, second.id, first.id) != ""
    assert "-select 1 as one" in text.splitlines()
    assert "+select 2 as one" in text.splitlines()
    restored = await dbt_models.restore(ANA, org.slug, PATH, first.id)
    assert restored.content == "select 1 as one"
    newest = (await versions(org.slug)).items[0]
    assert (newest.action, newest.author, newest.digest) == (
        "restore",
        "ana@example.com",
        first.digest,
    )


async def test_deleted_file_comes_back_from_its_history(org):
    await dbt_models.put(OPERATOR, org.slug, PATH, "select 1 as one")
    await dbt_models.delete(OPERATOR, org.slug, PATH)
    gone, first = (await versions(org.slug)).items
    assert gone.action == "delete"
    with pytest.raises(InvalidInputError, match="deleted"):
        await dbt_models.restore(OPERATOR, org.slug, PATH, gone.id)
    await dbt_models.restore(OPERATOR, org.slug, PATH, first.id)
    assert (await show(org.slug)).content == "select 1 as one"


async def test_pages_of_the_history_follow_each_other(org):
    for number in range(3):
        await dbt_models.put(OPERATOR, org.slug, PATH, f"select {number} as one")
    first = await versions(org.slug, limit=2)
    second = await versions(org.slug, limit=2, cursor=first.next)
    assert len({item.id for item in first.items + second.items}) == 3
    assert second.next is None


async def test_draft_is_kept_with_its_error_and_never_built(org):
    await dbt_models.put(OPERATOR, org.slug, PATH, "select 1 as one")
    with pytest.raises(TransformError):
        await dbt_models.put(ANA, org.slug, PATH, BROKEN)
    assert (await show(org.slug)).draft is None
    kept = await dbt_models.put(ANA, org.slug, PATH, BROKEN, draft=True)
    assert kept.content == "select 1 as one"
    assert kept.draft is not None
    assert kept.draft.content == BROKEN
    assert kept.draft.author == "ana@example.com"
    assert "nosuch" in (kept.draft.error.message if kept.draft.error else "")
    async with org_scope(OPERATOR, org.slug) as scope:
        assert (await dbt_store.files_of(scope))[PATH].content == "select 1 as one"
        manifest = await dbt_store.manifest_of(scope)
        assert manifest is not None
        assert manifest.error is None
    assert len((await versions(org.slug)).items) == 1


async def test_good_content_ends_the_draft(org):
    await dbt_models.put(OPERATOR, org.slug, PATH, BROKEN, draft=True)
    only = await show(org.slug)
    assert (only.content, only.draft is not None) == (None, True)
    async with org_scope(OPERATOR, org.slug) as scope:
        listed = {model.path: model for model in (await dbt_models.list_models(scope)).items}
    assert listed[PATH].draft is not None
    saved = await dbt_models.put(OPERATOR, org.slug, PATH, "select 1 as one", draft=True)
    assert (saved.content, saved.draft) == ("select 1 as one", None)


async def test_deleting_what_is_only_a_draft_discards_it(org):
    await dbt_models.put(OPERATOR, org.slug, PATH, BROKEN, draft=True)
    await dbt_models.delete(OPERATOR, org.slug, PATH)
    with pytest.raises(NotFoundError):
        await show(org.slug)


async def test_version_of_another_file_or_org_is_missing(org, make_slug):
    await dbt_models.put(OPERATOR, org.slug, PATH, "select 1 as one")
    (version,) = (await versions(org.slug)).items
    other = await orgs.create(OPERATOR, make_slug(), "Other")
    for slug, path, found in (
        (org.slug, "marts/two.sql", version.id),
        (other.slug, PATH, version.id),
        (org.slug, PATH, uuid4()),
    ):
        with pytest.raises(NotFoundError):
            await dbt_models.restore(OPERATOR, slug, path, found)
