"""One call of a tenant's webhook: vetted address, no redirect, the answer's body is not read."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.exceptions import RequestException, SSLError, Timeout

from etlfabric_dagster.connectors.rest_api.adapter import CONNECT_TIMEOUT_S, VettingAdapter
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import NotifyJob

READ_TIMEOUT_S = 10
PASSING = frozenset({408, 425, 429})
"""Refusals that another try may overcome, beside 5xx."""


def notify(job: NotifyJob, _emit: Emit, _workdir: str) -> dict[str, Any]:
    """Payload: `{"status"}`. Raises ConnectorError; `where["passing"]`: another try may help."""
    host = urlsplit(job.url).hostname or ""
    try:
        status = _post(job)
    except SSLError as exc:
        raise _refused(host, "its certificate is not trusted", passing=False) from exc
    except Timeout as exc:
        raise _refused(host, f"no answer within {READ_TIMEOUT_S} s", passing=True) from exc
    except RequestException as exc:
        raise _refused(host, "it cannot be reached", passing=True) from exc
    if not 200 <= status < 300:
        raise _refused(host, f"it answered {status}", passing=status >= 500 or status in PASSING)
    return {"status": status}


def _post(job: NotifyJob) -> int:
    with requests.Session() as session:
        session.trust_env = False
        adapter = VettingAdapter(job.egress)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        headers = {"User-Agent": "etlfabric", "Content-Type": "application/json", **job.headers}
        with session.post(
            job.url,
            data=job.body.encode(),
            headers=headers,
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        ) as response:
            return response.status_code


def _refused(host: str, why: str, *, passing: bool) -> ConnectorError:
    return ConnectorError(
        f"The webhook at {host} did not take the message: {why}.",
        "Check the channel's URL at the service that gave it.",
        code="webhook_refused",
        passing=passing,
    )
