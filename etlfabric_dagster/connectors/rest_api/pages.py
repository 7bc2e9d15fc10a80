"""Page by page through one endpoint of an API, and through its parents first.

A child is asked once per record of its parent; parents are read in full for it, whatever their own
cursor, so that an old parent's new children are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.client import PageData, RESTClient
from dlt.sources.helpers.rest_client.exceptions import PaginatorNotFound
from dlt.sources.rest_api.config_setup import (
    IncrementalParam,
    paginate_dependent_resource,
    paginate_resource,
)
from requests import Response

from etlfabric_dagster.connectors.json_records import DataError
from etlfabric_dagster.connectors.rest_api.config import Endpoint, RestConfig
from etlfabric_dagster.connectors.rest_api.session import FOR_RUNS, Patience, PinnedSession
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.security.redaction import Redactor

_INCREMENTAL = re.compile(r"(?<!\{)\{incremental\.")
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, IndexError, PaginatorNotFound)


@dataclass(frozen=True)
class Reader:
    """Reads the endpoints of one connection. `warn(stream, text)` reports what was mended."""

    config: RestConfig
    patience: Patience = FOR_RUNS
    warn: Callable[[str, str], None] = lambda stream, text: None

    def pages(self, endpoint: Endpoint, start: Any = None) -> Iterator[tuple[str, list[Any]]]:
        """Pages of records, each with its place for errors. `start` is the cursor to ask from.

        Raises:
            ConnectorError: a page cannot be had or read; those before it were good.
        """
        session = self._session(endpoint)
        try:
            yield from self._unrepeated(endpoint, session, self._all(endpoint, session, start))
        except FabricError:
            raise
        except _BROKEN as exc:
            text = Redactor(self.config.source.secrets.values())(str(exc))
            reason = re.split(r",? got |Available parent fields", text)[0].strip(" .'")
            raise DataError(
                f"{session.place} cannot be followed: {reason[:300]}.",
                "Compare the stream's paginator and path with what the API answers.",
                code="bad_page",
                stream=endpoint.name,
            ) from exc

    def _session(self, endpoint: Endpoint) -> PinnedSession:
        return PinnedSession(
            self.config.base_url,
            self.config.source.egress,
            endpoint.name,
            self.patience,
            lambda text: self.warn(endpoint.name, text),
            endpoint.ignored,
        )

    def _all(self, endpoint: Endpoint, session: PinnedSession, start: Any) -> Iterator[PageData]:
        asked = self._asked(endpoint, session, start)
        if endpoint.parent is None:
            yield from paginate_resource(**asked)
            return
        asked |= {
            "resolved_params": endpoint.parent_fields,
            "include_from_parent": endpoint.include_from_parent,
        }
        parent = self.config.endpoints[endpoint.parent]
        for _, items in self.pages(parent, parent.incremental.get("initial_value")):
            for item in items:
                yield from paginate_dependent_resource([item], **deepcopy_params(asked))

    def _asked(self, endpoint: Endpoint, session: PinnedSession, start: Any) -> dict[str, Any]:
        request = endpoint.request
        incremental = endpoint.incremental
        if start is None:
            request = _without_cursor(request, endpoint)
        fields = {param.param_name for param in endpoint.parent_fields}
        params = {k: v for k, v in request.get("params", {}).items() if k not in fields}
        sent = IncrementalParam(incremental.get("start_param"), incremental.get("end_param"))
        moments = dict.fromkeys(("start_value", "last_value", "initial_value"), start)
        return {
            "method": request.get("method", "GET"),
            "path": request["path"],
            "headers": request.get("headers"),
            "params": params,
            "json": request.get("json"),
            "data": None,
            "paginator": self.config.paginator(endpoint),
            "data_selector": request.get("data_selector"),
            "hooks": {"response": []},
            "client": self._client(endpoint, session),
            "incremental_object": SimpleNamespace(**moments, end_value=None),
            "incremental_param": sent,
            "incremental_cursor_transform": None,
        }

    def _client(self, endpoint: Endpoint, session: PinnedSession) -> RESTClient:
        return _StrictClient(
            base_url=self.config.base_url,
            headers=self.config.headers,
            auth=self.config.auth(endpoint, session),
            session=session,
        )

    def _unrepeated(
        self, endpoint: Endpoint, session: PinnedSession, pages: Iterator[PageData]
    ) -> Iterator[tuple[str, list[Any]]]:
        """A paginator that the API ignores brings the same page for ever."""
        previous: tuple[Any, bytes] | None = None
        for page in pages:
            here = (page.request, page.response.content)
            if page and previous and previous[0] is here[0] and previous[1] == here[1]:
                raise DataError(
                    f"{session.place} is the same as the page before it: the API ignores the"
                    " paginator.",
                    "Choose the paginator that the API's documentation describes.",
                    code="bad_page",
                    stream=endpoint.name,
                )
            previous = here
            yield session.place, list(page)


class _StrictClient(RESTClient):
    """Takes a page without the selected data for what it is: broken, not empty."""

    def extract_response(self, response: Response, data_selector: Any) -> list[Any]:
        document = response.json()
        found = jsonpath.find_values(data_selector, document)
        if not found and "*" not in str(data_selector) and document not in ([], {}):
            place = self.session.place  # type: ignore[attr-defined]
            have = f"; it has {', '.join(map(str, document))[:100]}" if document else ""
            raise DataError(
                f"{place} has no “{data_selector}”{have}.",
                "Correct the data selector, or run again if the API was out of order.",
                code="bad_page",
            )
        data = found[0] if len(found) == 1 else found
        if data is None:
            return []
        return data if isinstance(data, list) else [data]


def deepcopy_params(asked: dict[str, Any]) -> dict[str, Any]:
    """dlt writes cursor values into `params`; the paginator keeps its place."""
    return asked | {"params": dict(asked["params"]), "paginator": deepcopy(asked["paginator"])}


def _without_cursor(request: Any, endpoint: Endpoint) -> dict[str, Any]:
    """The request from the beginning of time: what would carry a cursor is left out."""
    if _INCREMENTAL.search(request["path"]):
        raise DataError(
            f"The path of {endpoint.name} needs a cursor value, and there is none yet.",
            "Set its initial value.",
            code="initial_value_missing",
            stream=endpoint.name,
        )
    return {part: _cursorless(value) for part, value in request.items()}


def _cursorless(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        k: _cursorless(v)
        for k, v in value.items()
        if not (isinstance(v, str) and _INCREMENTAL.search(v))
        and not (isinstance(v, dict) and v.get("type") == "incremental")
    }
