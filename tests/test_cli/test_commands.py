"""What every command promises: JSON shapes, exit status, errors with a remedy, no secrets."""

from __future__ import annotations

import psycopg
import pytest

CONFIG = {"dialect": "postgresql", "host": "127.0.0.1", "database": "shop", "username": "reader"}


@pytest.fixture
def slug(etlfabric, make_slug):
    name = make_slug()
    assert etlfabric("orgs", "create", name, "--name", "Acme Inc.", "--json").status == 0
    return name


def listed_slugs(etlfabric) -> list[str]:
    """On all pages: other tests have orgs too."""
    found, more = [], ()
    while True:
        page = etlfabric("orgs", "list", *more, "--json").json
        found += [item["slug"] for item in page["items"]]
        if page["next"] is None:
            return found
        more = ("--cursor", page["next"])


def test_created_org_is_shown_and_listed(etlfabric, slug):
    shown = etlfabric("orgs", "show", slug, "--json").json
    assert (shown["slug"], shown["name"], shown["status"]) == (slug, "Acme Inc.", "active")
    assert slug in listed_slugs(etlfabric)


def test_refusal_is_json_with_message_and_remedy_and_status_1(etlfabric, slug):
    refused = etlfabric("orgs", "create", slug, "--name", "x", "--json")
    assert refused.status == 1
    assert refused.json["error"]["message"]
    assert refused.json["error"]["remedy"]


def test_refusal_for_people_goes_to_standard_error(etlfabric):
    refused = etlfabric("orgs", "show", "no_such_org")
    assert (refused.status, refused.out) == (1, "")
    assert "no_such_org" in refused.err
    assert "etlfabric orgs list" in refused.err


@pytest.mark.parametrize("args", [("orgs", "create"), ("nonsense",), ("runs", "show", "x", "1")])
def test_bad_usage_ends_with_status_2(etlfabric, args):
    assert etlfabric(*args).status == 2


def test_erase_wants_to_be_said(etlfabric, slug):
    refused = etlfabric("orgs", "erase", slug, "--json")
    assert refused.status == 1
    assert "--yes" in refused.json["error"]["remedy"]
    assert etlfabric("orgs", "show", slug, "--json").status == 0


def test_erase_reports_what_it_removed(etlfabric, slug):
    report = etlfabric("orgs", "erase", slug, "--yes", "--json").json
    assert (report["slug"], report["schemas"]) == (slug, 5)
    assert etlfabric("orgs", "show", slug, "--json").status == 1


def test_suspend_and_resume(etlfabric, slug):
    assert etlfabric("orgs", "suspend", slug, "--json").json["status"] == "suspended"
    assert etlfabric("orgs", "resume", slug, "--json").json["status"] == "active"


def test_token_is_issued_for_a_user(etlfabric, make_slug):
    email = f"{make_slug()}@example.com"
    assert etlfabric("users", "create", email, "--operator", "--json").json["is_operator"]
    assert etlfabric("users", "token", email, "--json").json["token"].startswith("etlf_")


def test_connectors_show_their_forms_as_json_schema(etlfabric):
    names = [item["name"] for item in etlfabric("connectors", "list", "--json").json["items"]]
    assert {"sql_database", "rest_api", "filesystem", "python"} <= set(names)
    spec = etlfabric("connectors", "show", "sql_database", "--json").json
    assert "host" in spec["config_schema"]["properties"]
    assert "password" in spec["secrets_schema"]["properties"]


def test_secret_goes_in_and_never_comes_out(etlfabric, slug, json_file):
    secret = "s3cret-canary-value"
    made = etlfabric(
        *("connections", "create", slug, "shop", "--connector", "sql_database"),
        *("--config", json_file(CONFIG), "--secrets", json_file({"password": secret}), "--json"),
    )
    assert made.status == 0
    assert made.json["secrets"] == ["password"]
    for args in (("show", slug, "shop"), ("list", slug)):
        assert secret not in etlfabric("connections", *args, "--json").out
    assert secret not in made.out + made.err


def test_unknown_option_of_a_connector_is_refused_by_name(etlfabric, slug, json_file):
    refused = etlfabric(
        *("connections", "create", slug, "shop", "--connector", "sql_database"),
        *("--config", json_file({**CONFIG, "hots": "typo"}), "--json"),
        *("--secrets", json_file({"password": "x"})),
    )
    assert refused.status == 1
    assert "hots" in refused.json["error"]["message"] + str(refused.json["error"])


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"a": }', "[" * 100_000])
def test_file_that_is_no_json_object_is_refused_by_name(etlfabric, slug, tmp_path, content):
    path = tmp_path / "config.json"
    path.write_text(content)
    refused = etlfabric(
        *("connections", "create", slug, "shop", "--connector", "sql_database"),
        *("--config", path, "--json"),
    )
    assert refused.status == 1
    assert "config.json" in refused.json["error"]["message"]


def test_check_of_a_closed_port_says_why_and_ends_with_status_1(
    etlfabric, slug, json_file, interactive_worker
):
    etlfabric(
        *("connections", "create", slug, "shop", "--connector", "sql_database"),
        *("--config", json_file({**CONFIG, "port": 1}), "--json"),
        *("--secrets", json_file({"password": "x"})),
    )
    checked = etlfabric("connections", "check", slug, "shop", "--json")
    assert checked.status == 1
    assert checked.json["ok"] is False
    assert checked.json["cause"]
    assert checked.json["remedy"]


@pytest.fixture
def shop(source_cluster, make_slug):
    """A source database with one table."""
    name = make_slug()
    with psycopg.connect(source_cluster.dsn(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(source_cluster.dsn(name), autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL);"
            "CREATE INDEX ON orders (updated_at);"
            "INSERT INTO orders SELECT g, now() FROM generate_series(1, 10) g; ANALYZE"
        )
    config = CONFIG | {"database": name, "port": source_cluster.port, "username": "postgres"}
    return config, {"password": source_cluster.superuser_password}


@pytest.fixture
def pipeline(etlfabric, slug, shop, json_file, interactive_worker):
    config, secrets = shop
    made = etlfabric(
        *("connections", "create", slug, "shop", "--connector", "sql_database"),
        *("--config", json_file(config), "--secrets", json_file(secrets), "--json"),
    )
    assert made.status == 0, made.out
    made = etlfabric("pipelines", "create", slug, "shop", "--connection", "shop", "--json")
    assert made.status == 0, made.out
    return made.json


def test_pipeline_takes_all_streams_incrementally(pipeline):
    (stream,) = pipeline["streams"]
    assert (stream["name"], stream["table"]) == ("orders", "shop__orders")
    assert (stream["mode"], stream["cursor"]) == ("incremental", "updated_at")


def test_discover_lists_columns_keys_and_cursors(etlfabric, slug, pipeline):
    (stream,) = etlfabric("connections", "discover", slug, "shop", "--json").json["streams"]
    assert stream["primary_key"] == ["id"]
    assert "updated_at" in stream["cursor_candidates"]
    assert stream["row_estimate"] == 10
    assert {column["name"] for column in stream["columns"]} == {"id", "updated_at"}


def test_staging_is_generated_before_the_first_load(etlfabric, slug, pipeline):
    items = etlfabric("dbt-models", "list", slug, "--json").json["items"]
    assert "staging/stg_orders.sql" in [item["path"] for item in items]


def test_mart_on_staging_is_stored_and_a_broken_one_refused(etlfabric, slug, pipeline, tmp_path):
    sql = tmp_path / "m.sql"
    sql.write_text("select count(*) as n from {{ ref('stg_orders') }}")
    put = ("dbt-models", "put", slug, "marts/m.sql", "--file", sql, "--json")
    assert etlfabric(*put).json["origin"] == "tenant"
    sql.write_text("select * from {{ ref('no_such_model') }}")
    refused = etlfabric(*put)
    assert refused.status == 1
    assert "no_such_model" in refused.json["error"]["message"]
    shown = etlfabric("dbt-models", "show", slug, "marts/m.sql", "--json").json
    assert "stg_orders" in shown["content"]


def test_connection_in_use_is_not_deleted(etlfabric, slug, pipeline):
    refused = etlfabric("connections", "delete", slug, "shop", "--json")
    assert refused.status == 1
    assert refused.json["error"]["pipelines"] == ["shop"]


def test_deleted_pipeline_frees_its_connection(etlfabric, slug, pipeline):
    assert etlfabric("pipelines", "delete", slug, "shop", "--json").status == 0
    assert etlfabric("connections", "delete", slug, "shop", "--json").status == 0
    assert etlfabric("pipelines", "list", slug, "--json").json["items"] == []


def test_run_is_queued_listed_and_canceled(etlfabric, slug, pipeline):
    run = etlfabric("runs", "start", slug, "shop", "--json").json
    assert run["status"] == "queued"
    assert {"streams", "models", "error", "rows_loaded", "attempt"} <= set(run)
    listed = etlfabric("runs", "list", slug, "--json").json["items"]
    assert [item["id"] for item in listed] == [run["id"]]
    assert etlfabric("runs", "list", slug, "--trigger", "retry", "--json").json["items"] == []
    assert etlfabric("runs", "cancel", slug, run["id"], "--json").json["status"] == "canceled"


def test_run_of_an_unknown_stream_is_refused(etlfabric, slug, pipeline):
    refused = etlfabric("runs", "start", slug, "shop", "--full-refresh", "ghosts", "--json")
    assert refused.status == 1
    assert "ghosts" in refused.json["error"]["message"]


def test_schedule_is_set_in_a_time_zone_and_removed(etlfabric, slug, pipeline):
    made = etlfabric(
        *("schedules", "set", slug, "shop", "--cron", "*/15 * * * *"),
        *("--timezone", "Europe/Berlin", "--json"),
    ).json
    assert made["next_fire_at"]
    assert len(etlfabric("schedules", "list", slug, "--json").json["items"]) == 1
    assert etlfabric("schedules", "remove", slug, "shop", "--json").status == 0
    assert etlfabric("schedules", "list", slug, "--json").json["items"] == []


def test_bi_credentials_give_the_password_only_when_rolled(etlfabric, slug):
    assert etlfabric("bi-credentials", slug, "--json").json["password"] is None
    assert etlfabric("bi-credentials", slug, "--roll", "--json").json["password"]


def test_uploads_are_put_listed_and_deleted(etlfabric, slug, tmp_path):
    file = tmp_path / "spend.csv"
    file.write_text("a,b\n1,2\n")
    assert etlfabric("uploads", "put", slug, file, "--json").json["size_bytes"] == 8
    assert len(etlfabric("uploads", "list", slug, "--json").json["items"]) == 1
    assert etlfabric("uploads", "delete", slug, "spend.csv", "--json").status == 0


def test_credentials_rotate_counts_what_was_current(etlfabric, slug):
    counts = etlfabric("credentials", "rotate", "--json").json
    assert counts["rotated"] == 0
    assert counts["current"] >= 1
