"""Signing in to an API: what adds credentials to its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlt.sources.helpers.rest_client.auth import APIKeyAuth, BearerTokenAuth, HttpBasicAuth
from requests import PreparedRequest
from requests.auth import AuthBase

from etlfabric_dagster.connectors.rest_api.session import Patience, PinnedSession
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import SourceConfig


def signer(auth: Mapping[str, Any], source: SourceConfig, session: PinnedSession) -> AuthBase:
    """What signs requests, from the filled `auth` of a config."""
    if auth["type"] == "bearer":
        return BearerTokenAuth(token=auth["token"])
    if auth["type"] == "http_basic":
        return HttpBasicAuth(username=auth["username"], password=auth["password"])
    if auth["type"] == "api_key":
        return APIKeyAuth(
            name=auth.get("name", "Authorization"),
            api_key=auth["api_key"],
            location=auth.get("location", "header"),
        )
    return ClientCredentials(auth, source, session.patience)


class ClientCredentials(AuthBase):
    """OAuth 2 client credentials: a token from `access_token_url`, asked for once per stream."""

    def __init__(self, auth: Mapping[str, Any], source: SourceConfig, patience: Patience) -> None:
        self._auth = auth
        self._token: str | None = None
        self._session = PinnedSession(
            auth["access_token_url"], source.egress, "the access token", patience
        )

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request."""
        if self._token is None:
            self._token = self._obtain()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _obtain(self) -> str:
        data = {
            "grant_type": "client_credentials",
            "client_id": self._auth["client_id"],
            "client_secret": self._auth["client_secret"],
        }
        if "scope" in self._auth:
            data["scope"] = self._auth["scope"]
        answer = self._session.post(self._auth["access_token_url"], data=data).json()
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise ConnectorError(
                f"{self._session.host} answered without an access token.",
                "Correct access_token_url.",
                code="login_refused",
            )
        return token
