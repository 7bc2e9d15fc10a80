"""HTTP for one stream: pinned to one origin, vetted addresses, bounded retries, bounded bodies.

An API's `next` links and redirects are followed only on the origin of `base_url`: anywhere else
they would carry the Authorization header away. Nothing here reads the environment (proxies, netrc).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from dlt.sources.helpers.rest_client.exceptions import IgnoreResponseException
from requests import PreparedRequest, Response
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, SSLError, Timeout
from requests.exceptions import ConnectionError as Unreachable

from etlfabric_dagster import clock
from etlfabric_dagster.connectors import json_records
from etlfabric_dagster.connectors.json_records import DataError
from etlfabric_dagster.connectors.rest_api.adapter import CONNECT_TIMEOUT_S, VettingAdapter
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import EgressPolicy

MAX_PAGE_BYTES = 128 * 1024**2  # decompressed; a page is parsed whole, at about 6 times its size
CHUNK_BYTES = 64 * 1024
READ_TIMEOUT_S = 60
MAX_REDIRECTS = 5
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
BROKEN_OFF = (Unreachable, Timeout, ChunkedEncodingError)


@dataclass(frozen=True)
class Patience:
    """How long a request may be tried: so often, waiting no more than `wait_s` in all."""

    tries: int = 5
    wait_s: float = 300


FOR_RUNS = Patience()
FOR_CHECKS = Patience(tries=2, wait_s=2)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL. Raises ValueError."""
    parts = urlsplit(url)
    default = 443 if parts.scheme.lower() == "https" else 80
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or default


class PinnedSession(requests.Session):
    """A session that speaks to the origin of `base_url` alone, for one stream."""

    def __init__(
        self,
        base_url: str,
        policy: EgressPolicy,
        stream: str,
        patience: Patience = FOR_RUNS,
        warn: Callable[[str], None] = lambda text: None,
        ignored: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["Accept"] = "application/json"
        self.headers["Accept-Encoding"] = "gzip, deflate"  # unpacked in bounded steps
        self.headers["User-Agent"] = "etlfabric"
        self.pages = 0
        self._origin = origin(base_url)
        self.patience = patience
        self._stream, self._warn = stream, warn
        self._ignored = ignored
        adapter = VettingAdapter(policy)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    @property
    def host(self) -> str:
        """The only host it speaks to."""
        return self._origin[1]

    @property
    def place(self) -> str:
        """The page that was asked for last, for errors."""
        return f"Page {self.pages:,} of {self._stream}"

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """One page: its body read, checked and parsed; `json()` answers what was parsed.

        Raises:
            ConnectorError: the host, status, or body is no use; names the stream and the page.
        """
        self.pages += 1
        kwargs = kwargs | {"stream": True, "allow_redirects": False}
        kwargs["timeout"] = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        response = self._patiently(request, kwargs)
        if response.status_code in self._ignored:
            raise IgnoreResponseException
        self._refuse_status(response)
        parsed = (
            [] if response.status_code == 204 else json_records.parse(response.content, self.place)
        )
        response.json = lambda **_: parsed
        return response

    def _patiently(self, request: PreparedRequest, kwargs: dict[str, Any]) -> Response:
        waited = 0.0
        for attempt in range(1, self.patience.tries + 1):
            response = problem = None
            try:
                response = self._once(request, kwargs)
                if not self._is_passing(response):
                    return response
            except SSLError as exc:
                raise self._untrusted(exc) from exc
            except BROKEN_OFF as exc:
                problem = exc
            wait_s = _asked_wait_s(response) or min(2 ** (attempt - 1), 30)
            if attempt == self.patience.tries or waited + wait_s > self.patience.wait_s:
                raise self._gave_up(response, problem, attempt, wait_s)
            self._say_slow_down(response, wait_s)
            time.sleep(wait_s)
            waited += wait_s
        raise AssertionError("unreachable")

    def _once(self, request: PreparedRequest, kwargs: dict[str, Any]) -> Response:
        for _ in range(MAX_REDIRECTS):
            self._refuse_foreign(request.url or "")
            response = super().send(request, **kwargs)
            if response.next is None:
                response._content = self._read(response)
                response._content_consumed = True
                return response
            response.close()
            request = response.next
        raise ConnectorError(
            f"{self.place}: {self.host} redirects more than {MAX_REDIRECTS} times.",
            "Correct the path or base_url.",
            code="bad_redirect",
        )

    def _read(self, response: Response) -> bytes:
        body = bytearray()
        try:
            for chunk in response.iter_content(CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_PAGE_BYTES:
                    response.close()
                    raise DataError(
                        f"{self.place} is larger than {MAX_PAGE_BYTES >> 20} MiB.",
                        "Ask for fewer records per page.",
                        code="too_large",
                    )
        except ContentDecodingError as exc:
            raise DataError(
                f"{self.place} cannot be decompressed: its {response.headers['Content-Encoding']}"
                " data is broken.",
                "Check what the API sends, then run again.",
                code="bad_encoding",
            ) from exc
        return bytes(body)

    def _is_passing(self, response: Response) -> bool:
        """Whether asking again may help."""
        if response.status_code in self._ignored:
            return False
        limited = response.status_code == 403 and "Retry-After" in response.headers
        return limited or response.status_code in RETRIED

    def _say_slow_down(self, response: Response | None, wait_s: float) -> None:
        if response is not None and response.status_code in (403, 429):
            self._warn(
                f"{self.host} asked to slow down ({response.status_code}); waited {wait_s:g} s."
            )

    def _refuse_foreign(self, url: str) -> None:
        if origin(url) == self._origin:
            return
        scheme, host, port = origin(url)
        raise ConnectorError(
            f"{self.place} leads away from {self._url()} to {scheme}://{host}:{port}, which would"
            " get this connection's credentials. It was not followed.",
            "If the API lives there, make it the base_url of the connection.",
            code="foreign_origin",
            stream=self._stream,
        )

    def _url(self) -> str:
        scheme, host, port = self._origin
        return f"{scheme}://{host}:{port}"

    def _refuse_status(self, response: Response) -> None:
        status = response.status_code
        if status < 400:
            return
        where = {"stream": self._stream, "page": self.pages, "status": status}
        if status == 401:
            raise ConnectorError(
                f"{self.host} does not accept the credentials of {self._stream} (401). They are"
                " wrong, expired or revoked.",
                "Create new ones there and replace them here.",
                code="login_refused",
                **where,
            )
        if status == 403:
            raise ConnectorError(
                f"{self.host} does not let these credentials read {self._stream} (403).",
                "Grant them access there, or leave the stream out.",
                code="permission",
                **where,
            )
        path = urlsplit(response.url).path
        if status in (404, 410):
            raise ConnectorError(
                f"{self.place}: {self.host} has nothing at {path} ({status}).",
                "Correct the stream's path, or leave the stream out.",
                code="not_found",
                **where,
            )
        raise ConnectorError(
            f"{self.place}: {self.host} refused the request for {path} ({status}).",
            "Compare the stream's parameters with the API's documentation.",
            code="request_refused",
            **where,
        )

    def _gave_up(
        self, response: Response | None, problem: Exception | None, tries: int, wait_s: float
    ) -> ConnectorError:
        where = {"stream": self._stream, "page": self.pages}
        if response is None:
            return self._silent(problem, tries)
        status = response.status_code
        if status in (403, 429):
            return ConnectorError(
                f"{self.place}: {self.host} asked us to slow down ({status}) {tries} times and to"
                f" wait {wait_s:g} s more.",
                "Run less often, or ask for fewer streams at a time.",
                code="rate_limited",
                retry_after_s=wait_s,
                **where,
            )
        return ConnectorError(
            f"{self.place}: {self.host} failed with {status}, {tries} times in a row.",
            "Nothing is wrong here; run again when the API has recovered.",
            code="source_failed",
            **where,
        )

    def _silent(self, problem: Exception | None, tries: int) -> ConnectorError:
        port = self._origin[2]
        if isinstance(problem, ChunkedEncodingError):
            return DataError(
                f"{self.place} breaks off before its end, {tries} times in a row.",
                "Ask for fewer records per page, or run again later.",
                code="broken_off",
            )
        what = f"did not answer in {READ_TIMEOUT_S} s" if isinstance(problem, Timeout) else ""
        return ConnectorError(
            f"{self.place}: {self.host}:{port} {what or 'cannot be reached'}. The port is probably"
            " wrong, or a firewall drops the connection.",
            "Correct base_url, or allow this install's address there.",
            code="unreachable",
        )

    def _untrusted(self, exc: SSLError) -> ConnectorError:
        text = str(exc)
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text:
            return ConnectorError(
                f"The certificate of {self.host} is not trusted here.",
                "Have the API present a certificate of a public authority, with its full chain.",
                code="tls_untrusted",
            )
        return ConnectorError(
            f"{self.host}:{self._origin[2]} does not speak TLS.",
            "Correct the port or scheme of base_url.",
            code="tls_refused",
        )


def _asked_wait_s(response: Response | None) -> float | None:
    """Seconds that Retry-After asks for, as a number or as a date."""
    text = response.headers.get("Retry-After", "").strip() if response is not None else ""
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - clock.now()).total_seconds())
    except (TypeError, ValueError):
        return None
