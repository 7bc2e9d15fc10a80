"""What a REST connection may say: dlt's declarative config as a closed list, secrets by name.

Nothing in it names Python code, and placeholders reach nothing but cursor values and fields of a
parent's records (a free `str.format` would reach the process's memory).
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import (
    build_resource_dependency_graph,
    create_paginator,
)
from dlt.sources.rest_api.typing import ResolvedParam
from jsonpath_ng.exceptions import JSONPathError
from requests.auth import AuthBase

from etlfabric_dagster.connectors.rest_api.auth import signer
from etlfabric_dagster.connectors.rest_api.session import PinnedSession
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.jobs import SourceConfig

_PLACEHOLDER = re.compile(
    r"incremental\.(start_value|last_value|initial_value|end_value)"
    r"|resources\.[a-z][a-z0-9_]*\.[\w.\[\]$*'\"-]+"
    r"|[A-Za-z][A-Za-z0-9_]*"
)
_CREDENTIAL_HEADERS = re.compile(r"authorization|cookie|.*(api-?key|token|secret).*", re.I)
_EXPANDED = ("path", "params", "json", "headers")


@dataclass(frozen=True)
class Endpoint:
    """One resource of the config, resolved: what to ask, and what its records are keyed by."""

    name: str
    request: Mapping[str, Any]
    primary_key: tuple[str, ...]
    parent_fields: list[ResolvedParam]
    include_from_parent: list[str]
    max_table_nesting: int | None

    @property
    def parent(self) -> str | None:
        """The resource whose records it is asked for once each."""
        return self.parent_fields[0].resolve_config["resource"] if self.parent_fields else None

    @property
    def ignored(self) -> frozenset[int]:
        """Statuses that mean “no records”."""
        return frozenset(a["status_code"] for a in self.request.get("response_actions") or ())

    @property
    def incremental(self) -> dict[str, Any]:
        """How the cursor is sent: `cursor_path`, `initial_value`, `start_param`, `end_param`."""
        for param, value in self.request.get("params", {}).items():
            if isinstance(value, dict) and value.get("type") == "incremental":
                return {**value, "start_param": param}
        return self.request.get("incremental") or {}


@dataclass(frozen=True)
class RestConfig:
    """A config that was checked, its secrets filled in."""

    base_url: str
    headers: dict[str, str]
    client: Mapping[str, Any]
    endpoints: Mapping[str, Endpoint]
    source: SourceConfig

    def auth(self, endpoint: Endpoint, session: PinnedSession) -> AuthBase | None:
        """What signs the requests of an endpoint."""
        auth = endpoint.request.get("auth") or self.client.get("auth")
        return signer(auth, self.source, session) if auth else None

    def paginator(self, endpoint: Endpoint) -> BasePaginator | None:
        """A fresh paginator; None lets dlt find out from the first page."""
        return _paginator(endpoint.request.get("paginator") or self.client.get("paginator"))


def parse(source: SourceConfig) -> RestConfig:
    """The connection's config, checked beyond its schema.

    Raises:
        InvalidInputError: a placeholder, parent, paginator or secret that cannot be used.
    """
    config = source.config
    client = _filled(config["client"], source.secrets, "client", escape=False)
    _refuse_plain_credentials(config["client"].get("headers"), "client.headers")
    try:
        _, resources, parents = build_resource_dependency_graph(
            _as_default(config.get("resource_defaults")), config["resources"]
        )
    except (ValueError, JSONPathError) as exc:
        raise InvalidInputError(str(exc), "Correct the resources.", field="resources") from exc
    endpoints = {
        name: _endpoint(name, resource, parents[name], source.secrets)
        for name, resource in resources.items()
    }
    _refuse_cycles(endpoints)
    for endpoint in endpoints.values():
        _paginator(endpoint.request.get("paginator") or client.get("paginator"))
    headers = client.get("headers", {})
    return RestConfig(client["base_url"], headers, client, endpoints, source)


def _as_default(defaults: Any) -> Any:
    defaults = dict(defaults or {})
    if isinstance(defaults.get("endpoint"), str):
        defaults["endpoint"] = {"path": defaults["endpoint"]}
    return defaults


def _endpoint(
    name: str, resource: Any, parents: list[ResolvedParam] | None, secrets: Mapping[str, str]
) -> Endpoint:
    request = dict(resource["endpoint"])
    field = f"resources.{name}.endpoint"
    _refuse_plain_credentials(request.get("headers"), f"{field}.headers")
    for part in _EXPANDED:
        for text in _texts(request.get(part)):
            _check_placeholders(text, f"{field}.{part}")
    if re.match(r"\s*[a-z][a-z0-9+.-]*:|\s*//", request["path"], re.I):
        raise InvalidInputError(
            f"The path of {name} leaves base_url.", "Give a path below base_url.", field=field
        )
    for path in (request.get("data_selector"), request.get("incremental", {}).get("cursor_path")):
        _check_path(path, field)
    for part in request:
        request[part] = _filled(request[part], secrets, field, escape=part in _EXPANDED)
    key = resource.get("primary_key") or ()
    include = list(resource.get("include_from_parent") or [])
    if include and not parents:
        raise InvalidInputError(
            f"{name} takes fields of its parent, and has none.",
            "Name the parent in its path: {resources.PARENT.FIELD}.",
            field=field,
        )
    nesting = resource.get("max_table_nesting")
    keys = (key,) if isinstance(key, str) else tuple(key)
    return Endpoint(name, request, keys, parents or [], include, nesting)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _check_placeholders(text: str, field: str) -> None:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as exc:
        raise _bad_placeholder(text, field) from exc
    for _, name, form, conversion in parts:
        if name is not None and (form or conversion or not _PLACEHOLDER.fullmatch(name)):
            raise _bad_placeholder(text, field)


def _check_path(path: str | None, field: str) -> None:
    try:
        jsonpath.compile_path(path if path is not None else "$")
    except JSONPathError as exc:
        raise InvalidInputError(
            f"“{(path or '')[:100]}” is no JSON path.",
            "Write a path like data.items, or $ for the whole answer.",
            field=field,
        ) from exc


def _bad_placeholder(text: str, field: str) -> InvalidInputError:
    return InvalidInputError(
        f"“{text[:100]}” has a placeholder that is not known.",
        "Use {incremental.start_value} or {resources.PARENT.FIELD}; write other braces twice.",
        field=field,
    )


def _filled(value: Any, secrets: Mapping[str, str], field: str, escape: bool) -> Any:
    """`value` with every `{"secret": name}` replaced; `escape` where dlt expands braces."""
    if isinstance(value, dict):
        if value.keys() == {"secret"}:
            text = _secret(value["secret"], secrets, field)
            return text.replace("{", "{{").replace("}", "}}") if escape else text
        return {k: _filled(v, secrets, f"{field}.{k}", escape) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(item, secrets, field, escape) for item in value]
    return value


def _secret(name: Any, secrets: Mapping[str, str], field: str) -> str:
    if not isinstance(name, str) or name not in secrets:
        raise InvalidInputError(
            f"{field} needs the secret “{name}”, which this connection does not have.",
            f"Give secrets.{name}.",
            code="missing_secret",
            field=f"secrets.{name}",
        )
    if not secrets[name].isprintable():  # it would end a header, and be quoted by what refuses it
        raise InvalidInputError(
            f"The secret “{name}” has a line break or another character that cannot be sent.",
            f"Give secrets.{name} without it.",
            code="bad_secret",
            field=f"secrets.{name}",
        )
    return secrets[name]


def _refuse_plain_credentials(headers: Mapping[str, Any] | None, field: str) -> None:
    for name, value in (headers or {}).items():
        if isinstance(value, str) and _CREDENTIAL_HEADERS.fullmatch(name):
            raise InvalidInputError(
                f"The header {name} stands in clear text in the config.",
                'Write {"secret": "name"} and give its value among the secrets.',
                field=f"{field}.{name}",
            )


def _refuse_cycles(endpoints: Mapping[str, Endpoint]) -> None:
    for start in endpoints:
        seen: list[str] = []
        name: str | None = start
        while name is not None:
            if name in seen:
                raise InvalidInputError(
                    f"The parents of {start} form a circle: {' → '.join([*seen, name])}.",
                    "Read one of them without a parent.",
                    field="resources",
                )
            seen.append(name)
            name = endpoints[name].parent


def _paginator(config: Any) -> BasePaginator | None:
    try:
        return create_paginator(config)
    except (TypeError, ValueError, JSONPathError) as exc:
        kind = config if isinstance(config, str) else config.get("type")
        raise InvalidInputError(
            f"The paginator {kind} cannot be used: {exc}.".replace("..", "."),
            "Correct the paginator's options.",
            field="paginator",
        ) from exc
