"""The form of a REST connection: dlt's declarative config as a closed list."""

from __future__ import annotations

from typing import Any

from etlfabric_dagster.schemas.connections import ConnectorSpec

SECRET = {
    "type": "object",
    "description": 'Write {"secret": "name"} and give the value among the secrets.',
    "properties": {"secret": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"}},
    "required": ["secret"],
    "additionalProperties": False,
}
_text: dict[str, Any] = {"type": "string", "maxLength": 2000}
_text_or_secret = {"anyOf": [_text, SECRET]}
_path = {"type": "string", "maxLength": 500}
_flag = {"type": "boolean"}
_count = {"type": "integer", "minimum": 0}
_names = {"type": "array", "items": _path, "maxItems": 50}
_headers = {"type": "object", "additionalProperties": _text_or_secret}


def _closed(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    closed = {"type": "object", "properties": properties, "additionalProperties": False}
    return closed | {"required": [*required]} | more


def _needs(kind: str, *fields: str) -> dict[str, Any]:
    condition = {"properties": {"type": {"const": kind}}, "required": ["type"]}
    return {"if": condition, "then": {"required": [*fields]}}


_AUTH = _closed(
    {
        "type": {"enum": ["bearer", "api_key", "http_basic", "oauth2_client_credentials"]},
        "token": SECRET,
        "name": _path,
        "api_key": SECRET,
        "location": {"enum": ["header", "query"]},
        "username": _text_or_secret,
        "password": SECRET,
        "access_token_url": {"type": "string", "pattern": "^https?://", "description": "A URL."},
        "client_id": _text_or_secret,
        "client_secret": SECRET,
        "scope": _text,
    },
    "type",
    allOf=[
        _needs("bearer", "token"),
        _needs("api_key", "api_key"),
        _needs("http_basic", "username", "password"),
        _needs("oauth2_client_credentials", "access_token_url", "client_id", "client_secret"),
    ],
)
_PAGINATORS = [
    "auto",
    "single_page",
    "json_link",
    "header_link",
    "header_cursor",
    "cursor",
    "offset",
    "page_number",
]
_PAGINATOR_OPTIONS = _closed(
    {
        "type": {"enum": _PAGINATORS},
        "next_url_path": _path,
        "links_next_key": _path,
        "cursor_path": _path,
        "cursor_param": _path,
        "cursor_body_path": _path,
        "cursor_key": _path,
        "limit": {"type": "integer", "minimum": 1},
        "offset": _count,
        "offset_param": _path,
        "offset_body_path": _path,
        "limit_param": _path,
        "limit_body_path": _path,
        "maximum_offset": _count,
        "base_page": _count,
        "page": _count,
        "page_param": _path,
        "page_body_path": _path,
        "maximum_page": _count,
        "total_path": {"type": ["string", "null"], "maxLength": 500},
        "has_more_path": _path,
        "stop_after_empty_page": _flag,
    },
    "type",
)
_PAGINATOR = {
    "if": {"type": "object"},
    "then": _PAGINATOR_OPTIONS,
    "else": {"enum": _PAGINATORS},
}
_INCREMENTAL = {
    "cursor_path": _path,
    "initial_value": {"type": ["string", "number", "null"]},
}
_ENDPOINT = _closed(
    {
        "path": _path,
        "method": {"enum": ["GET", "POST"]},
        "params": {"type": "object"},
        "json": {"type": "object"},
        "headers": _headers,
        "paginator": _PAGINATOR,
        "data_selector": _path,
        "incremental": _closed(
            _INCREMENTAL | {"start_param": _path, "end_param": _path}, "cursor_path"
        ),
        "response_actions": {
            "type": "array",
            "items": _closed(
                {
                    "status_code": {"type": "integer", "minimum": 400, "maximum": 499},
                    "action": {"const": "ignore"},
                },
                "status_code",
                "action",
            ),
        },
        "auth": _AUTH,
    }
)
_RESOURCE = {
    "endpoint": {"if": {"type": "object"}, "then": _ENDPOINT, "else": _path},
    "primary_key": {"anyOf": [_path, _names]},
    "include_from_parent": _names,
    "max_table_nesting": {"type": "integer", "minimum": 0, "maximum": 20},
}
_NAME = {
    "type": "string",
    "pattern": "^(?!.*__)[a-z][a-z0-9_]{0,39}$",
    "description": "Lower-case letters, digits and single underscores, at most 40.",
}

SPEC = ConnectorSpec(
    name="rest_api",
    title="REST API",
    group="APIs",
    description="Any JSON API: paginators, sign-in, incremental cursors, parents and children.",
    config_schema=_closed(
        {
            "client": _closed(
                {
                    "base_url": {
                        "type": "string",
                        "pattern": r"^https?://[^/?#@\s]+(/[^?#\s]*)?$",
                        "description": "A URL like https://api.example.com/v1/",
                    },
                    "headers": _headers,
                    "auth": _AUTH,
                    "paginator": _PAGINATOR,
                },
                "base_url",
            ),
            "resource_defaults": _closed(_RESOURCE),
            "resources": {
                "type": "array",
                "minItems": 1,
                "maxItems": 500,
                "items": {
                    "if": {"type": "object"},
                    "then": _closed(_RESOURCE | {"name": _NAME}, "name"),
                    "else": _NAME,
                },
            },
        },
        "client",
        "resources",
    ),
    secrets_schema={
        "type": "object",
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,39}$"},
        "additionalProperties": {"type": "string", "minLength": 1},
    },
)
