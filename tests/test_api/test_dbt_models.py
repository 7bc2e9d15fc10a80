"""dbt models, their tests, and queries over HTTP."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

MART = "select id, updated_at from {{ ref('stg_orders') }}"
YAML = """
version: 2
models:
  - name: counted
    columns:
      - name: id
        data_tests: [not_null, unique]
"""


def packed(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


async def put(desk, path: str, content: str):
    return await desk("PUT", f"dbt-models/{path}", json={"content": content})


async def test_model_is_stored_shown_compiled_previewed_and_deleted(desk):
    made = await put(desk, "marts/one.sql", "select {{ 1 + 1 }} as two")
    assert (made.status_code, made.json()["origin"]) == (200, "tenant")
    shown = (await desk("GET", "dbt-models/marts/one.sql")).json()
    assert shown["content"] == "select {{ 1 + 1 }} as two"
    compiled = (await desk("GET", "dbt-models/marts/one.sql/compiled")).json()
    assert compiled == {"path": "marts/one.sql", "compiled_sql": "select 2 as two"}
    rows = (await desk("POST", "dbt-models/marts/one.sql/preview")).json()
    assert rows["rows"] == [[2]]
    assert set(rows) == {"columns", "rows", "truncated"}
    assert (await desk("DELETE", "dbt-models/marts/one.sql")).status_code == 204
    assert (await desk("GET", "dbt-models/marts/one.sql")).status_code == 404


async def test_text_that_is_not_saved_is_previewed_compiled_and_formatted(desk):
    text = {"content": "select {{ 1 + 2 }} as three"}
    rows = await desk("POST", "dbt-models/marts/unsaved.sql/preview", json=text)
    assert (rows.status_code, rows.json()["rows"]) == (200, [[3]])
    compiled = await desk("POST", "dbt-models/marts/unsaved.sql/compiled", json=text)
    assert compiled.json()["compiled_sql"] == "select 3 as three"
    assert (await desk("GET", "dbt-models/marts/unsaved.sql")).status_code == 404
    formatted = await desk("POST", "dbt-models/format", json={"sql": "select a,b from c"})
    assert formatted.json() == {"sql": "select a, b from c\n"}
    refused = await desk("POST", "dbt-models/format", json={"sql": "select {{ ref( from"})
    assert (refused.status_code, bool(refused.json()["remedy"])) == (422, True)


async def test_formatting_that_takes_long_is_answered_later(desk):
    sent = {"json": {"sql": "select 1 as a"}, "params": {"wait_s": 0}}
    first = await desk("POST", "dbt-models/format", **sent)
    assert first.status_code == 202
    where = first.headers["location"].partition(f"/orgs/{desk.org.slug}/")[2]
    later = await desk("GET", where, params={"wait_s": 30})
    assert (later.status_code, later.json()) == (200, {"sql": "select 1 as a\n"})


async def test_save_made_from_another_version_is_refused(desk):
    path = "dbt-models/marts/shared.sql"
    new = {"content": "select 1 as one", "expected": ""}
    opened = (await desk("PUT", path, json=new)).json()["version"]
    assert opened == (await desk("GET", path)).json()["version"]
    ours = {"content": "select 2 as one", "expected": opened}
    for _ in range(2):  # sent again, as clients do whose answer was lost
        assert (await desk("PUT", path, json=ours)).status_code == 200
    theirs = {"content": "select 3 as one", "expected": opened}
    late = await desk("PUT", path, json=theirs)
    assert (late.status_code, late.json()["code"]) == (412, "edited_meanwhile")
    assert desk.owner.email in late.json()["detail"]
    twice = await desk("PUT", path, json=new)
    assert twice.status_code == 412
    assert (await desk("GET", path)).json()["content"] == "select 2 as one"


async def test_model_that_does_not_compile_is_refused_with_its_place(desk):
    broken = await put(desk, "marts/broken.sql", "select * from {{ ref('no_such_model') }}")
    assert (broken.status_code, broken.json()["code"]) == (422, "transform")
    assert "no_such_model" in broken.json()["detail"]
    assert (await desk("GET", "dbt-models/marts/broken.sql")).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["..%2f..%2fetc%2fpasswd.sql", "marts/%00.sql", "dbt_project.yml", "marts/a%0Ab.sql", "%2f"],
    ids=["parent", "nul", "project", "newline", "root"],
)
async def test_path_outside_the_project_is_refused(desk, path):
    answer = await put(desk, path, "select 1")
    assert answer.status_code in (404, 422)
    assert answer.json()["remedy"]


async def test_tests_of_a_model_are_listed_and_run_alone(desk):
    assert (await put(desk, "marts/counted.sql", MART)).status_code == 200
    none = await desk("POST", "dbt-models/marts/counted.sql/tests")
    assert (none.status_code, none.json()["code"]) == (409, "conflict")
    assert (await put(desk, "marts/counted.yml", YAML)).status_code == 200
    found = (await desk("GET", "dbt-models/marts/counted.sql/tests")).json()["items"]
    assert [(test["name"], test["column"], test["status"]) for test in found] == [
        ("not_null_counted_id", "id", None),
        ("unique_counted_id", "id", None),
    ]
    # nothing is loaded here: the rows are asked of the tables that a run would have made
    rows = await desk("GET", f"dbt-models/marts/counted.sql/tests/{found[0]['unique_id']}/rows")
    assert (rows.status_code, rows.json()["code"]) == (422, "transform")
    other = await desk("GET", "dbt-models/marts/counted.sql/tests/test.other.x/rows")
    assert (other.status_code, other.json()["code"]) == (404, "not_found")
    run = await desk("POST", "dbt-models/marts/counted.sql/tests")
    assert run.status_code == 201
    selection = run.json()["selection"]
    assert set(selection["checks"]) == {test["unique_id"] for test in found}
    assert (selection["streams"], selection["models"]) == ([], [])


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_project_is_imported_from_an_archive(desk, kind):
    files = {
        "repo/dbt_project.yml": b"name: theirs\nversion: '1'\n",
        f"repo/models/from_{kind}.sql": b"select 3 as three",
        "repo/target/manifest.json": b"{}",
        "../outside.sql": b"select 1",
    }
    body = io.BytesIO(packed(files))
    if kind == "tar":
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    answer = await desk("POST", "dbt-models/import", content=body.getvalue())
    assert answer.status_code == 200, answer.text
    assert answer.json()["imported"] == [f"marts/from_{kind}.sql"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"no archive", 422),
        (packed({"models/a.sql": b"select 1"}), 422),
        (packed({"dbt_project.yml": b"name: a"})[:-30], 422),
        (packed({f"{n}.sql": b"" for n in range(5001)}), 413),
    ],
    ids=["empty", "text", "no_project", "cut", "many"],
)
async def test_archive_that_is_none_is_refused(desk, body, status):
    answer = await desk("POST", "dbt-models/import", content=body)
    assert (answer.status_code, bool(answer.json()["remedy"])) == (status, True)


async def test_archive_that_unpacks_to_too_much_is_refused(desk):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dbt_project.yml", "name: bomb")
        with archive.open("seeds/bomb.csv", "w") as content:
            for _ in range(101):
                content.write(b"\0" * 2**20)
    assert len(body.getvalue()) < 2**20
    answer = await desk("POST", "dbt-models/import", content=body.getvalue())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_query_reads_and_cannot_write(desk):
    found = (await desk("POST", "query", json={"sql": "select 1 as one", "limit": 5})).json()
    assert (found["columns"][0]["name"], found["rows"]) == ("one", [[1]])
    refused = await desk("POST", "query", json={"sql": "create table t (a int)"})
    assert (refused.status_code, refused.json()["code"]) == (422, "transform")
    deep = await desk("POST", "query", json={"sql": "select 1", "limit": 10**30})
    assert deep.status_code == 422


async def test_list_is_lean_and_paged(desk):
    page = (await desk("GET", "dbt-models", params={"limit": 1})).json()
    assert page["items"][0]["content"] is None
    assert page["next"]
