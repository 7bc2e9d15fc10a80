"""Uploads and run logs on a local folder and on a real S3 server: the same promises on both."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from etlfabric_dagster import storage
from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import InvalidInputError, NotFoundError
from etlfabric_dagster.schemas.runs import LogLine
from tests.s3 import S3Server, s3_server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["folder", "s3"], autouse=True)
def _storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.param == "folder":
        monkeypatch.setattr(settings, "storage_url", f"file://{tmp_path}/storage")
        return
    server: S3Server = request.getfixturevalue("s3")
    monkeypatch.setattr(settings, "storage_url", f"s3://{server.bucket}/{uuid4().hex}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def lines(*messages: str, attempt: int = 1) -> list[LogLine]:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return [LogLine(at=at, level="info", message=m, attempt=attempt) for m in messages]


def test_an_upload_is_listed_with_its_size_and_can_be_read_back() -> None:
    org = uuid4()
    put = storage.put_upload(org, "prices 2026.csv", io.BytesIO(b"id,price\n1,2\n"))
    assert put.size_bytes == 13
    (listed,) = storage.list_uploads(org)
    assert (listed.name, listed.size_bytes) == ("prices 2026.csv", 13)
    assert abs((datetime.now(UTC) - listed.uploaded_at).total_seconds()) < 60
    fs, folder = fsspec.url_to_fs(storage.uploads_url(org))
    assert fs.cat_file(f"{folder}/prices 2026.csv") == b"id,price\n1,2\n"


def test_an_upload_replaces_the_one_of_the_same_name() -> None:
    org = uuid4()
    storage.put_upload(org, "a.csv", [b"old, and longer"])
    storage.put_upload(org, "a.csv", [b"new"])
    assert [u.size_bytes for u in storage.list_uploads(org)] == [3]


def test_an_upload_over_the_limit_is_refused_and_leaves_the_old_file() -> None:
    org = uuid4()
    storage.put_upload(org, "a.csv", [b"old"])
    chunks = (os.urandom(1024) for _ in range(100))
    with pytest.raises(InvalidInputError, match=r"a\.csv is larger than 10,000 bytes"):
        storage.put_upload(org, "a.csv", chunks, max_bytes=10_000)
    assert [(u.name, u.size_bytes) for u in storage.list_uploads(org)] == [("a.csv", 3)]
    assert storage.erase(org) == 1, "a partial file was left"


def test_an_upload_that_breaks_off_leaves_nothing() -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    org = uuid4()
    with pytest.raises(ConnectionResetError):
        storage.put_upload(org, "a.csv", broken())
    assert storage.list_uploads(org) == []
    assert storage.erase(org) == 0


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a.csv", "a/b.csv", "a\\b.csv", "/etc/passwd", ".hidden", "a\0b", "a\nb",
     "x" * 201, "a*.csv", "a?.csv", "[a].csv", "s3://x", "_x"],
)  # fmt: skip
def test_a_name_that_is_not_a_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        storage.put_upload(uuid4(), name, [b"x"])
    with pytest.raises(InvalidInputError):
        storage.delete_upload(uuid4(), name)


def test_unicode_names_are_kept() -> None:
    org = uuid4()
    storage.put_upload(org, "Größe (2).csv", [b"x"])
    assert [u.name for u in storage.list_uploads(org)] == ["Größe (2).csv"]


def test_deleting_an_upload_removes_it_and_only_it() -> None:
    org, other = uuid4(), uuid4()
    for owner in (org, other):
        storage.put_upload(owner, "a.csv", [b"x"])
    storage.delete_upload(org, "a.csv")
    assert storage.list_uploads(org) == []
    assert len(storage.list_uploads(other)) == 1
    with pytest.raises(NotFoundError):
        storage.delete_upload(org, "a.csv")


def test_a_log_reads_back_in_the_order_it_was_written_across_attempts() -> None:
    org, run = uuid4(), uuid4()
    odd = "two\nwith breaks \u2028 and \x85"
    storage.append_log(org, run, 1, lines("one", odd))
    storage.append_log(org, run, 1, lines("three"))
    storage.append_log(org, run, 2, lines("four", attempt=2))
    storage.append_log(org, run, 2, [])
    read, _ = storage.read_log(org, run)
    assert [line.message for line in read] == [
        "one",
        odd,
        "three",
        "four",
    ]
    second, _ = storage.read_log(org, run, attempt=2)
    assert [line.message for line in second] == ["four"]


def test_a_log_is_followed_from_where_the_last_read_ended() -> None:
    org, run = uuid4(), uuid4()
    assert storage.read_log(org, run) == ([], "")
    storage.append_log(org, run, 1, lines("one"))
    first, position = storage.read_log(org, run)
    storage.append_log(org, run, 1, lines("two"))
    storage.append_log(org, run, 2, lines("three", attempt=2))
    rest, position = storage.read_log(org, run, after=position)
    assert [line.message for line in first + rest] == ["one", "two", "three"]
    assert storage.read_log(org, run, after=position) == ([], position)


def test_the_tenth_attempt_comes_after_the_second() -> None:
    org, run = uuid4(), uuid4()
    for attempt in (10, 2):
        storage.append_log(org, run, attempt, lines(str(attempt), attempt=attempt))
    assert [line.message for line in storage.read_log(org, run)[0]] == ["2", "10"]


def test_the_sandbox_finds_uploads_in_a_local_folder_that_stays_up_to_date() -> None:
    org = uuid4()

    def seen() -> dict[str, bytes]:
        folder = Path(storage.local_uploads(org).removeprefix("file://"))
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    storage.put_upload(org, "a.csv", [b"one"])
    storage.put_upload(org, "b.csv", [b"two"])
    assert seen() == {"a.csv": b"one", "b.csv": b"two"}
    folder = Path(storage.local_uploads(org).removeprefix("file://"))
    before = (folder / "b.csv").stat()
    storage.put_upload(org, "a.csv", [b"three"])
    assert seen() == {"a.csv": b"three", "b.csv": b"two"}
    after = (folder / "b.csv").stat()
    assert (before.st_ino, before.st_mtime) == (after.st_ino, after.st_mtime), "copied again"
    storage.delete_upload(org, "a.csv")
    assert seen() == {"b.csv": b"two"}
    storage.erase(org)
    assert not folder.exists()


def test_erase_removes_all_of_an_org_and_nothing_of_another() -> None:
    org, other, run = uuid4(), uuid4(), uuid4()
    for owner in (org, other):
        storage.put_upload(owner, "a.csv", [b"x"])
        storage.append_log(owner, run, 1, lines("one"))
    assert storage.erase(org) == 2
    assert storage.erase(org) == 0
    assert storage.list_uploads(org) == []
    assert storage.read_log(org, run) == ([], "")
    assert len(storage.read_log(other, run)[0]) == 1


def test_a_runs_log_is_removed_alone() -> None:
    org, run, other = uuid4(), uuid4(), uuid4()
    for each in (run, other):
        storage.append_log(org, each, 1, lines("one"))
        storage.append_log(org, each, 1, lines("two"))
    assert storage.delete_log(org, run) == 2
    assert len(storage.read_log(org, other)[0]) == 2
