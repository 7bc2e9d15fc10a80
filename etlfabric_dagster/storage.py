"""Objects an install keeps outside Postgres: uploads and run logs, under `settings.storage`.

Works the same on a local folder and on s3:// (fsspec). Everything lies under the org's id, so
that an org is erased by prefix. All functions are blocking: call them in a thread from async code.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import InvalidInputError, NotFoundError
from etlfabric_dagster.schemas.connections import UploadOut
from etlfabric_dagster.schemas.runs import LogLine

MAX_UPLOAD_BYTES = 2 * 1024**3  # the panel and the CLI stream; this bounds the disk, not memory
CHUNK_BYTES = 1024 * 1024
UPLOAD_NAME = re.compile(r"[^\W_][\w .()+@=,-]{0,199}")
PARTIAL = ".partial-"
LOG_POSITION = re.compile(r"[0-9]{1,9}/[0-9]{1,9}/[0-9]{1,9}")


def uploads_url(org_id: UUID) -> str:
    """fsspec URL of an org's upload folder."""
    return f"{_root()}/uploads/{org_id.hex}"


def local_uploads(org_id: UUID) -> str:
    """A folder of this machine that holds an org's uploads: `SourceConfig.uploads`.

    With storage in S3 it is a copy under the home, brought up to date here: the sandbox never gets
    the platform's keys, which open every org's uploads.
    """
    fs, folder = _open(uploads_url(org_id))
    if isinstance(fs, LocalFileSystem):
        return uploads_url(org_id)
    copy = _copies(org_id)
    copy.mkdir(parents=True, exist_ok=True)
    listed = {upload.name: upload for upload in list_uploads(org_id)}
    for old in [path for path in copy.iterdir() if path.name not in listed]:
        old.unlink(missing_ok=True)
    for upload in listed.values():
        _copy(fs, folder, upload, copy)
    return f"file://{copy}"


def put_upload(
    org_id: UUID,
    name: str,
    content: BinaryIO | Iterable[bytes],
    max_bytes: int = MAX_UPLOAD_BYTES,
) -> UploadOut:
    """Store a file, replacing one of the same name. Atomic: readers see the old file or the new.

    Raises InvalidInputError for a name that is not a plain file name, and for a file larger than
    `max_bytes`; nothing is stored then.
    """
    check_upload_name(name)
    fs, folder = _open(uploads_url(org_id))
    fs.makedirs(folder, exist_ok=True)
    partial = f"{folder}/{PARTIAL}{uuid.uuid4().hex}"
    try:
        size = _write(fs, partial, _limited(content, name, max_bytes))
        fs.mv(partial, f"{folder}/{name}")
    except BaseException:
        if fs.exists(partial):
            fs.rm_file(partial)
        raise
    fs.invalidate_cache()
    return UploadOut(name=name, size_bytes=size, uploaded_at=datetime.now(UTC))


def list_uploads(org_id: UUID) -> list[UploadOut]:
    """An org's uploads by name."""
    fs, folder = _open(uploads_url(org_id))
    entries = [entry for entry in _listing(fs, folder) if entry["type"] == "file"]
    uploads = [_upload(entry) for entry in entries]
    return sorted((u for u in uploads if not u.name.startswith(PARTIAL)), key=lambda u: u.name)


def delete_upload(org_id: UUID, name: str) -> None:
    """Remove a file. Raises NotFoundError."""
    check_upload_name(name)
    fs, folder = _open(uploads_url(org_id))
    fs.invalidate_cache()
    if not fs.exists(f"{folder}/{name}"):
        raise NotFoundError(f"There is no upload {name!r}.", "List the uploads of this org.")
    fs.rm_file(f"{folder}/{name}")


def check_upload_name(name: str) -> None:
    """Raises InvalidInputError unless `name` is a plain file name."""
    if UPLOAD_NAME.fullmatch(name) is None:
        raise InvalidInputError(
            f"{name[:80]!r} cannot be the name of an upload.",
            "Use at most 200 letters, digits, spaces and . _ - ( ) + @ = , starting with a letter"
            " or digit.",
            field="name",
        )


def append_log(org_id: UUID, run_id: UUID, attempt: int, lines: Sequence[LogLine]) -> None:
    """Add lines to a run's log as one object `runs/{org}/{run}/{attempt}/{seq}.jsonl`.

    One writer per attempt: the worker that holds its lease.
    """
    if not lines:
        return
    fs, folder = _open(_attempt_url(org_id, run_id, attempt))
    fs.makedirs(folder, exist_ok=True)
    seq = max((_sequence(entry) for entry in _listing(fs, folder)), default=0) + 1
    text = "".join(line.model_dump_json() + "\n" for line in lines)
    _write(fs, f"{folder}/{seq:06}.jsonl", [text.encode()])


def read_log(
    org_id: UUID, run_id: UUID, attempt: int | None = None, after: str = ""
) -> tuple[list[LogLine], str]:
    """The lines of a run (or of one attempt) in order, and the position to read on from.

    `after` is the position an earlier call returned; "" reads from the start.
    """
    fs, folder = _open(f"{_run_url(org_id, run_id)}")
    chunks = sorted(_chunks(fs, folder, attempt))
    new = [chunk for chunk in chunks if chunk > _position(after)]
    lines = [line for number, seq in new for line in _read_chunk(fs, folder, number, seq)]
    return lines, "{}/{}".format(*new[-1]) if new else after


def count_log(org_id: UUID, run_id: UUID) -> int:
    """How many objects a run's log has."""
    fs, folder = _open(_run_url(org_id, run_id))
    return sum(1 for _ in _chunks(fs, folder, None))


def log_page(
    org_id: UUID, run_id: UUID, attempt: int | None = None, after: str = "", limit: int = 1000
) -> tuple[list[tuple[str, LogLine]], bool]:
    """At most `limit` lines with the position of each, and whether more are there already.

    `after` is a line's position, "" the start. Raises InvalidInputError for what is none.
    """
    at, seq, row = _line_position(after)
    fs, folder = _open(_run_url(org_id, run_id))
    found: list[tuple[str, LogLine]] = []
    for chunk in sorted(one for one in _chunks(fs, folder, attempt) if one >= (at, seq)):
        first = row + 1 if chunk == (at, seq) else 0
        lines = _read_chunk(fs, folder, *chunk)
        found += [
            (f"{chunk[0]}/{chunk[1]}/{index}", line)
            for index, line in enumerate(lines[first:], start=first)
        ]
        if len(found) > limit:
            return found[:limit], True
    return found, False


def log_chunks(
    org_id: UUID, run_id: UUID, attempt: int | None = None, after: str = ""
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A run's log object by object, oldest first: the position behind it and its plain lines.

    One object is in memory at a time, however long the log is.
    """
    fs, folder = _open(_run_url(org_id, run_id))
    for number, seq in sorted(_chunks(fs, folder, attempt)):
        if (number, seq) > _position(after):
            yield f"{number}/{seq}", _raw_lines(fs, folder, number, seq)


def delete_log(org_id: UUID, run_id: UUID) -> int:
    """Remove a run's log; the number of objects removed. Idempotent."""
    return _remove(_run_url(org_id, run_id))


def erase(org_id: UUID) -> int:
    """Remove everything of an org; the number of objects removed. Idempotent."""
    shutil.rmtree(_copies(org_id), ignore_errors=True)
    return _remove(uploads_url(org_id)) + _remove(f"{_root()}/runs/{org_id.hex}")


def _copies(org_id: UUID) -> Path:
    return settings.home_dir / "cache" / "uploads" / org_id.hex


def _copy(fs: AbstractFileSystem, folder: str, upload: UploadOut, copy: Path) -> None:
    """Bring one file; size and time tell whether it is there already."""
    target, stamp = copy / upload.name, upload.uploaded_at.timestamp()
    if target.exists():
        found = target.stat()
        if (found.st_size, found.st_mtime) == (upload.size_bytes, stamp):
            return
    partial = copy / f"{PARTIAL}{uuid.uuid4().hex}"
    try:
        fs.get_file(f"{folder}/{upload.name}", str(partial))
        os.utime(partial, (stamp, stamp))
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _root() -> str:
    return settings.storage.rstrip("/")


def _run_url(org_id: UUID, run_id: UUID) -> str:
    return f"{_root()}/runs/{org_id.hex}/{run_id.hex}"


def _attempt_url(org_id: UUID, run_id: UUID, attempt: int) -> str:
    return f"{_run_url(org_id, run_id)}/{attempt}"


def _open(url: str) -> tuple[AbstractFileSystem, str]:
    return fsspec.url_to_fs(url)


def _listing(fs: AbstractFileSystem, folder: str) -> list[dict[str, Any]]:
    try:
        return fs.ls(folder, detail=True, refresh=True)
    except FileNotFoundError:
        return []


def _upload(entry: dict[str, Any]) -> UploadOut:
    stamp = entry.get("LastModified") or entry.get("mtime") or 0
    at = stamp if isinstance(stamp, datetime) else datetime.fromtimestamp(float(stamp), UTC)
    return UploadOut(name=_base(entry), size_bytes=entry["size"], uploaded_at=at)


def _base(entry: dict[str, Any]) -> str:
    return entry["name"].rstrip("/").rsplit("/", 1)[-1]


def _sequence(entry: dict[str, Any]) -> int:
    return int(_base(entry).removesuffix(".jsonl"))


def _position(text: str) -> tuple[int, int]:
    attempt, _, seq = text.partition("/")
    return (int(attempt), int(seq)) if seq else (0, 0)


def _line_position(text: str) -> tuple[int, int, int]:
    if not text:
        return 0, 0, -1
    if not LOG_POSITION.fullmatch(text):
        raise InvalidInputError(
            "That is no position in a run's log.", "Read it from the start.", field="after"
        )
    attempt, seq, row = map(int, text.split("/"))
    return attempt, seq, row


def _chunks(fs: AbstractFileSystem, folder: str, attempt: int | None) -> Iterator[tuple[int, int]]:
    numbers = [int(_base(entry)) for entry in _listing(fs, folder)]
    for number in numbers:
        if attempt in (None, number):
            for entry in _listing(fs, f"{folder}/{number}"):
                yield number, _sequence(entry)


def _read_chunk(fs: AbstractFileSystem, folder: str, attempt: int, seq: int) -> list[LogLine]:
    return [LogLine.model_validate(line) for line in _raw_lines(fs, folder, attempt, seq)]


def _raw_lines(fs: AbstractFileSystem, folder: str, attempt: int, seq: int) -> list[dict[str, Any]]:
    body: Any = fs.cat_file(f"{folder}/{attempt}/{seq:06}.jsonl")
    return [json.loads(line) for line in body.split(b"\n") if line]


def _limited(content: BinaryIO | Iterable[bytes], name: str, max_bytes: int) -> Iterator[bytes]:
    read = getattr(content, "read", None)
    chunks = iter(lambda: read(CHUNK_BYTES), b"") if read else iter(content)
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise InvalidInputError(
                f"{name} is larger than {max_bytes:,} bytes, the most one upload may have.",
                "Split the file, compress it, or put it in an S3 bucket.",
                code="too_large",
                field="file",
            )
        yield chunk


def _write(fs: AbstractFileSystem, path: str, chunks: Iterable[bytes]) -> int:
    """Write an object whole or not at all; its size."""
    size = 0
    file: Any = fs.open(path, "wb")
    try:
        for chunk in chunks:
            size += file.write(chunk)
    except BaseException:
        _abandon(file)
        raise
    file.close()
    return size


def _abandon(file: Any) -> None:
    if isinstance(file, AbstractBufferedFile):  # an object store's: local files just close
        file.discard()
        file.closed = True  # fsspec would complete the upload when the object is collected
    else:
        file.close()


def _remove(url: str) -> int:
    fs, folder = _open(url)
    fs.invalidate_cache()
    files = fs.find(folder)
    if files:
        fs.rm(files)
    if fs.exists(folder):
        fs.rm(folder, recursive=True)
    return len(files)
