"""Where files lie: S3-compatible storage with the connection's own keys, or the org's uploads.

Files are copied into the child's folder, bounded in size, gzip taken off on the way.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import botocore.session
import fsspec
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from etlfabric_dagster.connectors.filesystem.config import FilesConfig
from etlfabric_dagster.connectors.json_records import DataError
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.security import egress

MAX_FILES = 20_000  # of one stream; their versions are kept in the pipeline's state
MAX_FILE_BYTES = 8 * 1024**3
MAX_RATIO = 200  # text reaches 50 with gzip, a bomb 1,000
RATIO_COUNTS_FROM = 64 * 1024**2
CHUNK_BYTES = 256 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class File:
    """A file as a listing shows it; `name` is below the connection's URL."""

    name: str
    size: int
    version: str
    modified_at: datetime


class Store(Protocol):
    """A place with files. Everything it raises on purpose is a ConnectorError."""

    def address(self) -> str:
        """What will be dialled, vetted."""
        ...

    def files(self, folder: str) -> Iterator[File]:
        """All files whose name begins with `folder`."""
        ...

    def chunks(self, file: File) -> Iterator[bytes]:
        """The file's content as it is stored, of exactly the listed version."""
        ...


def open_store(config: FilesConfig, source: SourceConfig) -> Store:
    """The place the connection names. Dials nothing."""
    if config.bucket:
        return _S3(config, source)
    if source.uploads is None:
        raise ConnectorError("This org has no uploads.", "Upload a file first.", code="no_uploads")
    return _Uploads(source.uploads)


def fetch(store: Store, file: File, target: Path, limit: int | None = None) -> Path:
    """Copy a file to `target`, decompressed when it is gzipped; `limit` ends the copy early.

    Raises:
        DataError: it is too large, a decompression bomb, or broken; names the file.
    """
    written = 0
    with target.open("wb") as out:
        for chunk in _plain(store.chunks(file), file):
            written += len(chunk)
            _refuse_bomb(file, written)
            out.write(chunk)
            if limit is not None and written >= limit:
                break
    return target


def _refuse_bomb(file: File, written: int) -> None:
    if written > RATIO_COUNTS_FROM and written > MAX_RATIO * file.size:
        raise DataError(
            f"{file.name} unpacks to more than {MAX_RATIO} times its size, like a bomb. No row of"
            " this file was loaded.",
            "Store the file uncompressed.",
            code="too_large",
            file=file.name,
        )
    if written > MAX_FILE_BYTES:
        raise DataError(
            f"{file.name} is larger than {MAX_FILE_BYTES >> 30} GiB. No row of it was loaded.",
            "Split the file.",
            code="too_large",
            file=file.name,
        )


def _plain(chunks: Iterator[bytes], file: File) -> Iterator[bytes]:
    first = next(chunks, b"")
    if not first.startswith(_GZIP):
        yield first
        yield from chunks
        return
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for packed in _chain(first, chunks):
            data = packed
            while data:
                yield unpack.decompress(data, CHUNK_BYTES)
                data = unpack.unconsumed_tail
                if unpack.eof:  # gzip files may be joined
                    data = unpack.unused_data
                    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if data else unpack
        if not unpack.eof:
            raise zlib.error("incomplete")
    except zlib.error as exc:
        raise DataError(
            f"{file.name} cannot be unpacked: its gzip data is broken or cut short. No row of this"
            " file was loaded.",
            "Store the file again.",
            code="bad_file",
            file=file.name,
        ) from exc


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class _Uploads:
    """An org's upload folder, wherever the platform keeps it."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.url_to_fs(url)

    def address(self) -> str:
        return "uploads"

    def files(self, folder: str) -> Iterator[File]:
        self._fs.invalidate_cache()
        root = self._root.rstrip("/")
        for path, info in self._fs.find(root, detail=True).items():
            name = path.removeprefix(root).lstrip("/")
            if name.startswith(folder) and not name.startswith("."):
                yield _file(name, info)

    def chunks(self, file: File) -> Iterator[bytes]:
        path = f"{self._root.rstrip('/')}/{file.name}"
        try:
            with self._fs.open(path, "rb", block_size=1 << 20) as opened:
                while chunk := opened.read(CHUNK_BYTES):
                    yield chunk
            if _file(file.name, self._fs.info(path, refresh=True)).version != file.version:
                raise _changed(file)
        except FileNotFoundError as exc:
            raise _changed(file) from exc


def _file(name: str, info: dict[str, Any]) -> File:
    stamp = info.get("LastModified") or info.get("mtime") or 0
    at = stamp if isinstance(stamp, datetime) else datetime.fromtimestamp(float(stamp), UTC)
    version = str(info.get("ETag") or f"{stamp}").strip('"')
    return File(name, info["size"], f"{version}-{info['size']}", at)


@cache
def _session() -> botocore.session.Session:
    """One for the process: it holds no credentials, only botocore's large descriptions of AWS."""
    session = botocore.session.Session()
    for name in ("config_file", "credentials_file"):  # the operator's own files are not ours
        session.set_config_variable(name, os.devnull)
    return session


class _S3:
    """A bucket, with the connection's keys; without keys, as the public sees it."""

    def __init__(self, config: FilesConfig, source: SourceConfig) -> None:
        self._config, self._policy = config, source.egress
        secrets = source.secrets
        signature = {} if "aws_access_key_id" in secrets else {"signature_version": UNSIGNED}
        self._client: Any = _session().create_client(
            "s3",
            region_name=config.region,
            endpoint_url=config.endpoint_url or f"https://s3.{config.region}.amazonaws.com",
            aws_access_key_id=secrets.get("aws_access_key_id"),
            aws_secret_access_key=secrets.get("aws_secret_access_key"),
            aws_session_token=secrets.get("aws_session_token"),
            config=Config(
                connect_timeout=10,
                read_timeout=60,
                retries={"total_max_attempts": 4, "mode": "standard"},
                proxies={},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                **signature,
            ),
        )

    def address(self) -> str:
        parts = urlsplit(self._client.meta.endpoint_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = egress.resolve_pinned(parts.hostname or "", port, self._policy)
        if parts.scheme == "http":
            egress.refuse_plaintext(parts.hostname or "", address, port)
        return address

    def files(self, folder: str) -> Iterator[File]:
        self.address()
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._config.bucket, Prefix=self._config.prefix + folder
        )
        try:
            for page in pages:
                yield from map(self._listed, page.get("Contents", ()))
        except (ClientError, BotoCoreError) as exc:
            raise self._explained(exc) from exc

    def chunks(self, file: File) -> Iterator[bytes]:
        self.address()
        etag = file.version.rpartition("-")[0]
        try:
            body = self._client.get_object(
                Bucket=self._config.bucket, Key=self._config.prefix + file.name, IfMatch=etag
            )["Body"]
            yield from body.iter_chunks(CHUNK_BYTES)
        except ClientError as exc:
            if exc.response["Error"]["Code"] in ("PreconditionFailed", "412", "NoSuchKey"):
                raise _changed(file) from exc
            raise self._explained(exc) from exc
        except BotoCoreError as exc:
            raise self._explained(exc) from exc

    def _listed(self, entry: dict[str, Any]) -> File:
        name = entry["Key"].removeprefix(self._config.prefix)
        etag, size = entry["ETag"].strip('"'), entry["Size"]
        return File(name, size, f"{etag}-{size}", entry["LastModified"])

    def _explained(self, exc: Exception) -> ConnectorError:
        host = urlsplit(self._client.meta.endpoint_url).netloc
        bucket = self._config.bucket
        code = exc.response["Error"]["Code"] if isinstance(exc, ClientError) else ""
        if code == "NoSuchBucket":
            return ConnectorError(
                f"{host} has no bucket {bucket}.", "Correct bucket_url.", code="bucket_unknown"
            )
        if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
            return ConnectorError(
                f"{host} does not accept the access key. It is wrong, expired or revoked.",
                "Create a new key and replace it here.",
                code="login_refused",
            )
        if code in ("AccessDenied", "403", "AllAccessDisabled"):
            return ConnectorError(
                f"The access key may not read the bucket {bucket} ({code}).",
                "Grant it s3:ListBucket and s3:GetObject there.",
                code="permission",
            )
        if code:
            return ConnectorError(
                f"{host} refused the request ({code}).", "Compare region and URL.", code="refused"
            )
        if "SSL" in type(exc).__name__:
            return ConnectorError(
                f"The certificate of {host} is not trusted here.",
                "Have the server present a certificate of a public authority.",
                code="tls_untrusted",
            )
        return ConnectorError(
            f"{host} cannot be reached. The port is probably wrong, or a firewall drops the"
            " connection.",
            "Correct endpoint_url, or allow this install's address there.",
            code="unreachable",
        )


def _changed(file: File) -> DataError:
    return DataError(
        f"{file.name} changed while it was read. No row of it was loaded.",
        "Run again.",
        code="file_changed",
        file=file.name,
    )
