"""Which sites' pages may ask: those that the settings name."""

from __future__ import annotations

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from etlfabric_dagster.api import problems
from etlfabric_dagster.errors import FabricError


class Cors(CORSMiddleware):
    """The framework's, which refuses as everything here does: with a problem."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser may do from another site's page."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        error = FabricError(
            f"A page of {request_headers['origin'][:200]} may not ask this.",
            "Name its origin in ETLFABRIC_CORS_ORIGINS, and send only headers that are documented.",
            code="foreign_origin",
        )
        request_id = structlog.contextvars.get_contextvars()["request_id"]
        return problems.response(error, request_id, status=answer.status_code)
