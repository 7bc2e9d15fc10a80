"""One suite for both gateways: the same calls, the same values, the same errors."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor, wait
from uuid import uuid4

import pytest
from sqlalchemy import text

from etlfabric_dagster import (
    ConflictError,
    ConnectorError,
    FabricError,
    InvalidInputError,
    NotFoundError,
    OrgSuspendedError,
    TransformError,
    UnauthenticatedError,
    aio,
)
from etlfabric_dagster.db import get_session
from etlfabric_dagster.errors import EditedMeanwhileError
from etlfabric_dagster.schemas.data import RowFilter
from etlfabric_dagster.schemas.orgs import OrgStatus
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.runs import RunStatus, Trigger
from etlfabric_dagster.services import erasures, invitations, sessions, tokens, users
from etlfabric_dagster.services.scope import OPERATOR, Actor
from etlfabric_dagster.tasks.erasing import erase_org

API = {"client": {"base_url": "https://api.example.com/"}, "resources": ["orders"]}


def test_orgs_are_created_found_listed_suspended_and_resumed(fabric, make_slug):
    org = fabric.orgs.create(make_slug(), name="Acme")
    assert fabric.orgs.get(org.slug).info == org.info
    assert org.slug in [one.slug for one in fabric.orgs.list()]
    org.suspend()
    assert org.info.status is OrgStatus.SUSPENDED
    with pytest.raises(OrgSuspendedError):
        org.connections.create("crm", connector="rest_api", config=API)
    org.resume()
    assert org.info.status is OrgStatus.ACTIVE


def test_org_is_erased_and_what_was_removed_is_told(fabric, fabrics, make_slug):
    org = fabric.orgs.create(make_slug(), name="Leaving")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(org.erase)
        while fabric is fabrics["remote"] and not report.done():  # what a worker does then
            for org_id, _ in aio.run(erasures.requested()):
                erase_org(str(org_id))
            wait([report], timeout=0.1)
        assert (report.result().slug, report.result().schemas) == (org.slug, 5)
    with pytest.raises(NotFoundError):
        fabric.orgs.get(org.slug)


def test_people_are_registered_and_get_tokens(fabric, make_slug):
    email = f"{make_slug()}@example.com"
    assert fabric.users.create(email).email == email
    assert fabric.users.token(email).token
    with pytest.raises(ConflictError):
        fabric.users.create(email)


def test_token_of_an_org_is_created_for_a_member_listed_and_revoked(fabric, make_slug):
    org = fabric.orgs.create(make_slug(), name="Tokens")
    email = fabric.users.create(f"{make_slug()}@example.com").email
    with pytest.raises(NotFoundError, match="no member"):
        org.tokens.create(email, "ci")
    invited = aio.run(invitations.invite(OPERATOR, org.slug, email, Role.EDITOR))
    person = aio.run(users.get(OPERATOR, email))
    joining = invited.link.rpartition("/")[2], Actor(email, user_id=person.id)
    aio.run(invitations.accept(joining[0], actor=joining[1]))
    made = org.tokens.create(email, "ci", role="viewer", read_only=True, days=7)
    actor = aio.run(tokens.authenticate(made.token))
    assert (actor.label, actor.limits.role, actor.limits.read_only) == (email, "viewer", True)
    (listed,) = [one for one in org.tokens.list() if one.id == made.id]
    assert (listed.name, listed.org, listed.email) == ("ci", org.slug, email)
    org.tokens.revoke(made.id)
    with pytest.raises(UnauthenticatedError):
        aio.run(tokens.authenticate(made.token))
    with pytest.raises(NotFoundError):
        org.tokens.revoke(made.id)


def test_sessions_of_a_person_are_listed_and_ended(fabric, make_slug):
    email = fabric.users.create(f"{make_slug()}@example.com").email
    person = aio.run(users.get(OPERATOR, email))
    granted = aio.run(sessions.open_for(person.id, "api", user_agent="curl"))
    assert [one.user_agent for one in fabric.users.sessions(email)] == ["curl"]
    fabric.users.sign_out(email)
    assert fabric.users.sessions(email) == ()
    with pytest.raises(UnauthenticatedError):
        aio.run(sessions.authenticate(granted.cookie, "api"))
    with pytest.raises(NotFoundError):
        fabric.users.sign_out("nobody@example.com")


def test_registered_source_is_a_connection_and_a_pipeline(shop):
    pipeline = shop.pipelines.get("shop")
    assert [stream.name for stream in pipeline.streams] == ["orders"]
    assert shop.pipelines.list() == (pipeline.model_copy(update={"streams": ()}),)
    connection = shop.connections.get("shop")
    assert connection.secrets == ("password",)
    assert connection in shop.connections.list()


def test_connection_is_checked_and_discovered(shop):
    assert shop.connections.check("shop").ok
    assert [stream.name for stream in shop.connections.discover("shop")] == ["orders"]


def test_connection_is_edited_and_deleted(shop):
    shop.connections.create("crm", connector="rest_api", config=API)
    edited = shop.connections.update("crm", config=API | {"resources": ["people"]})
    assert edited.config["resources"] == ["people"]
    shop.connections.delete("crm")
    with pytest.raises(NotFoundError) as refused:
        shop.connections.get("crm")
    assert refused.value.remedy


def test_pipeline_is_edited_paused_and_deleted(shop):
    shop.pipelines.create("nightly", models="stg_orders")
    assert shop.pipelines.update("nightly", schema_policy="freeze").schema_policy == "freeze"
    assert shop.pipelines.get("nightly").models == "stg_orders"
    assert shop.pipelines.pause("nightly").paused
    assert not shop.pipelines.resume("nightly").paused
    shop.pipelines.delete("nightly")
    with pytest.raises(NotFoundError):
        shop.pipelines.get("nightly")


def test_run_is_started_listed_canceled_and_retried(shop):
    run = shop.runs.start("shop", full_refresh=("orders",))
    assert run.status is RunStatus.QUEUED
    assert shop.runs.get(run.id).info == run.refresh().info
    assert run.id in [one.id for one in shop.runs.list(pipeline="shop", status=RunStatus.QUEUED)]
    assert run.id not in [one.id for one in shop.runs.list(trigger=Trigger.RETRY)]
    assert run.cancel().wait(timeout_s=30).status is RunStatus.CANCELED
    again = run.retry()
    assert again.info.selection == run.info.selection
    assert again.id in [one.id for one in shop.runs.list(trigger=Trigger.RETRY)]
    assert again.logs() == []
    with pytest.raises(TimeoutError):
        again.wait(timeout_s=0)
    again.cancel()


def test_schedule_is_set_listed_and_removed(shop):
    made = shop.schedules.set("shop", cron="*/15 * * * *", timezone="Europe/Berlin")
    assert shop.schedules.list() == (made,)
    shop.schedules.remove("shop")
    assert shop.schedules.list() == ()


def test_dbt_model_is_put_previewed_listed_restored_and_deleted(shop):
    first = shop.dbt_models.put("marts/one.sql", sql="select 1 as one")
    shop.dbt_models.put("marts/one.sql", sql="select 2 as one")
    assert shop.dbt_models.preview("marts/one.sql").rows == ((2,),)
    versions = shop.dbt_models.history("marts/one.sql")
    assert "-select 1 as one" in shop.dbt_models.diff("marts/one.sql", versions[-1].id)
    restored = shop.dbt_models.restore("marts/one.sql", versions[-1].id)
    assert restored.content == first.content
    assert "marts/one.sql" in [one.path for one in shop.dbt_models.list()]
    shop.dbt_models.delete("marts/one.sql")
    with pytest.raises(NotFoundError):
        shop.dbt_models.get("marts/one.sql")


def test_unsaved_text_is_previewed_compiled_formatted_and_saved_from_a_version(shop):
    path, sql = "marts/draft.sql", "select {{ 1 + 1 }} as two"
    assert shop.dbt_models.preview(path, sql=sql).rows == ((2,),)
    assert shop.dbt_models.compiled(path, sql=sql) == "select 2 as two"
    assert shop.dbt_models.format("select a,b from c") == "select a, b from c\n"
    opened = shop.dbt_models.put(path, sql=sql, expected="").version
    shop.dbt_models.put(path, sql="select 3 as three", expected=opened)
    with pytest.raises(EditedMeanwhileError):
        shop.dbt_models.put(path, sql="select 4 as four", expected=opened)
    assert shop.dbt_models.tests(path) == ()
    with pytest.raises(NotFoundError):
        shop.dbt_models.failing_rows(path, "test.none")
    shop.dbt_models.delete(path)


def test_rows_are_browsed_by_place_on_both(shop):
    schema = f"tenant_{shop.info.id.hex}_marts"
    aio.run(make_table(f'"{schema}".numbers'))
    kept = [RowFilter(column="n", kind="above", value="2")]
    pages = list(shop.data.browse("marts", "numbers", order_by="n", filters=kept, limit=2))
    assert [[row[0] for row in page.rows] for page in pages] == [["3", "4"], ["5"]]
    assert shop.data.value("marts", "numbers", "n", pages[1].places[0]) == "5"
    with pytest.raises(InvalidInputError):
        next(shop.data.browse("marts", "numbers", order_by="nothing"))


async def make_table(name: str) -> None:
    async with get_session() as session:
        await session.execute(
            text(f"CREATE TABLE {name} AS SELECT n, 'x' AS x FROM generate_series(1, 5) AS n")
        )
        await session.execute(text(f"GRANT SELECT ON {name} TO PUBLIC"))


def test_project_is_imported(shop):
    files = {"dbt_project.yml": b"name: theirs", "models/three.sql": b"select 3 as three"}
    assert shop.dbt_models.import_project(files).imported == ("marts/three.sql",)


def test_query_answers_typed_rows(shop):
    found = shop.query("select 1 as one, 'ä' as text")
    assert ([column.name for column in found.columns], found.rows) == (["one", "text"], ((1, "ä"),))


def test_upload_is_put_listed_and_deleted(shop):
    assert shop.uploads.put(io.BytesIO(b"id\n1\n"), "my ids.csv").size_bytes == 5
    assert [one.name for one in shop.uploads.list()] == ["my ids.csv"]
    shop.uploads.delete("my ids.csv")
    assert shop.uploads.list() == []


def test_export_writes_the_same_files(shop, tmp_path):
    report = shop.export(tmp_path / "out")
    assert report.directory == str(tmp_path / "out")
    assert report.connections == 1
    assert (tmp_path / "out" / "dbt" / "staging" / "stg_orders.sql").is_file()
    with pytest.raises(InvalidInputError):
        shop.export(tmp_path / "out")


def test_bi_access_usage_overview_and_alerts(shop):
    assert shop.bi_credentials(roll=True).password
    assert shop.bi_credentials().password is None
    assert shop.usage().total.rows == 0
    assert shop.overview().pipelines >= 1
    channel = shop.alerts.add_channel("ops", "email", to=["ops@example.com"])
    assert shop.alerts.channels() == (channel,)
    assert shop.alerts.set_rule("failures", channels=["ops"]).channels == ("ops",)
    assert list(shop.alerts.history()) == []
    shop.alerts.remove_rule("failures")
    shop.alerts.remove_channel("ops")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda org: org.runs.get(uuid4()), NotFoundError),
        (lambda org: org.connections.create("A B", connector="x", config={}), InvalidInputError),
        (lambda org: org.connections.delete("shop"), ConflictError),
        (lambda org: org.dbt_models.put("marts/x.sql", sql="{{ nope( }}"), TransformError),
        (lambda org: org.query("select * from nowhere"), TransformError),
    ],
    ids=["not_found", "invalid", "conflict", "parse", "query"],
)
def test_refusals_keep_class_message_remedy_and_facts(shops, call, error):
    seen = {}
    for name, org in shops.items():
        with pytest.raises(FabricError) as refused:
            call(org)
        said = refused.value
        told = str((said.message, said.remedy)).replace(org.slug, "SLUG")
        seen[name] = type(said), said.code, sorted(said.where), told
    assert issubclass(seen["local"][0], error)
    strip = {k: (v[:3] if "no run" in v[3] else v) for k, v in seen.items()}
    assert strip["local"] == strip["remote"]


def test_source_that_cannot_be_discovered_leaves_nothing(shop, shop_source):
    config, credentials = shop_source
    with pytest.raises(ConnectorError):
        shop.register_source(
            "closed",
            connector="sql_database",
            config=config | {"port": 1},
            credentials=credentials,
        )
    assert "closed" not in [one.name for one in shop.connections.list()]
