"""What a filesystem connection may say, and which file names a glob means.

Only `s3://` and `uploads://`: a tenant reaches no folder, socket or service of this machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etlfabric_dagster.errors import ConnectorError, InvalidInputError
from etlfabric_dagster.schemas.connections import ConnectorSpec
from etlfabric_dagster.schemas.jobs import SourceConfig

UPLOADS = "uploads://"
MODIFIED_AT, FILE_NAME = "_file_modified_at", "_file_name"
"""Columns that are added where a stream follows its files: when each changed, and its name."""
TYPES = (
    "text",
    "bigint",
    "numeric",
    "double precision",
    "boolean",
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
)
"""Types a CSV column may be declared to have."""

_BUCKET = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_KEY = r"(?!.*(\.\.|//))[^\x00-\x1f?#\\]*"
_GLOB = r"(?!/)(?!.*(\.\.|//))[^\x00-\x1f\\]*"
_SECRET = {"type": "string", "minLength": 1, "maxLength": 2000}

SPEC = ConnectorSpec(
    name="filesystem",
    title="Files",
    group="Files",
    description="CSV, Parquet and JSONL, plain or gzipped, in S3-compatible storage or uploaded.",
    config_schema={
        "type": "object",
        "properties": {
            "bucket_url": {
                "type": "string",
                "title": "Address",
                "maxLength": 1100,
                "pattern": rf"^({_BUCKET}(/{_KEY})?|uploads://)$",
                "description": "Write s3://bucket/folder, or uploads:// for this org's uploads.",
            },
            "endpoint_url": {
                "type": "string",
                "title": "Endpoint",
                "pattern": r"^https?://[A-Za-z0-9.\-\[\]:]+/?$",
                "description": "Where an S3-compatible server listens: https://host:port",
            },
            "region": {"type": "string", "pattern": "^[a-z0-9-]{1,30}$"},
            "streams": {
                "type": "array",
                "minItems": 1,
                "maxItems": 500,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {
                            "type": "string",
                            "pattern": "^(?!.*__)[a-z][a-z0-9_]{0,39}$",
                            "description": "Lower-case letters, digits and single underscores.",
                        },
                        "glob": {
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 500,
                            "pattern": f"^{_GLOB}$",
                            "description": "A path below bucket_url; * and ** match any names.",
                        },
                        "format": {"enum": ["csv", "parquet", "jsonl"]},
                        "delimiter": {"enum": [",", ";", "\t", "|"]},
                        "columns": {
                            "type": "object",
                            "additionalProperties": {"enum": list(TYPES)},
                        },
                    },
                    "required": ["name", "glob", "format"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["bucket_url", "streams"],
        "additionalProperties": False,
    },
    secrets_schema={
        "type": "object",
        "properties": {
            "aws_access_key_id": {"title": "Access key id", **_SECRET},
            "aws_secret_access_key": {"title": "Secret access key", **_SECRET},
            "aws_session_token": {"title": "Session token", **_SECRET},
        },
        "dependentRequired": {
            "aws_access_key_id": ["aws_secret_access_key"],
            "aws_secret_access_key": ["aws_access_key_id"],
        },
        "additionalProperties": False,
    },
)


@dataclass(frozen=True)
class FileStream:
    """One set of files."""

    name: str
    glob: str
    format: str
    delimiter: str | None
    columns: Mapping[str, str]
    """Declared types, by the name in the header."""

    @property
    def folder(self) -> str:
        """What every name the glob means begins with."""
        return re.split(r"[*?]", self.glob, maxsplit=1)[0]

    def means(self, name: str) -> bool:
        """Whether the glob means this file. `*` stays in a folder, `**` does not."""
        return re.fullmatch(_pattern(self.glob), name, re.S) is not None


@dataclass(frozen=True)
class FilesConfig:
    """A config that was checked."""

    bucket: str
    """Empty for uploads."""
    prefix: str
    """Empty, or ends in "/"."""
    endpoint_url: str | None
    region: str
    streams: Mapping[str, FileStream]

    @property
    def where(self) -> str:
        """The place, for messages."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/") if self.bucket else "the uploads"

    def stream(self, name: str) -> FileStream:
        """Raises ConnectorError when the config has it no more."""
        if name not in self.streams:
            raise ConnectorError(
                f"The connection has no stream “{name}” any more. Its table stays as it is.",
                "Leave the stream out, or add it to the connection again.",
                code="stream_vanished",
                stream=name,
            )
        return self.streams[name]


def parse(source: SourceConfig) -> FilesConfig:
    """The connection's config, checked beyond its schema.

    Raises:
        InvalidInputError: a stream twice, a glob with too many stars, an endpoint for uploads.
    """
    config = source.config
    url: str = config["bucket_url"]
    _refuse_odd_url(url, config)
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    uploads = url == UPLOADS
    prefix = prefix.strip("/")
    return FilesConfig(
        bucket="" if uploads else bucket,
        prefix=f"{prefix}/" if prefix and not uploads else "",
        endpoint_url=config.get("endpoint_url"),
        region=config.get("region", "us-east-1"),
        streams=_streams(config["streams"]),
    )


def _refuse_odd_url(url: str, config: dict[str, Any]) -> None:
    schema = SPEC.config_schema["properties"]["bucket_url"]
    if re.search(schema["pattern"], url) is None or "\n" in url:
        raise InvalidInputError(
            f"“{url[:100]}” is no place this connector reads.",
            schema["description"],
            field="bucket_url",
        )
    if url == UPLOADS and "endpoint_url" in config:
        raise InvalidInputError(
            "Uploads have no endpoint_url.", "Leave endpoint_url out.", field="endpoint_url"
        )


def _streams(streams: list[dict[str, Any]]) -> dict[str, FileStream]:
    found: dict[str, FileStream] = {}
    for index, stream in enumerate(streams):
        field = f"streams.{index}"
        if stream["name"] in found:
            raise InvalidInputError(
                f"The stream {stream['name']} is there twice.", "Rename one.", field=field
            )
        if stream["glob"].count("*") > 10:
            raise InvalidInputError(
                f"The glob of {stream['name']} has more than ten stars.",
                "Write a simpler glob.",
                field=f"{field}.glob",
            )
        found[stream["name"]] = FileStream(
            stream["name"],
            stream["glob"],
            stream["format"],
            stream.get("delimiter"),
            stream.get("columns", {}),
        )
    return found


def _pattern(glob: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meanings = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return "".join(meanings.get(part, re.escape(part)) for part in parts)
