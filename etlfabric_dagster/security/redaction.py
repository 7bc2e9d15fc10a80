"""Redaction: known secret values and the usual hiding places of unknown ones. Pure, no settings."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "•••"
MIN_SECRET_LENGTH = 4  # shorter values would mask ordinary text everywhere

_URL_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*):(?P<secret>[^\s@/]+)@", re.I)
_KEYED = re.compile(
    r"(?P<key>\b(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|signature"
    r"|authorization)[\"']?\s*[=:]\s*[\"']?(?:bearer\s+|basic\s+)?)(?P<secret>[^\s\"'&,;)}]+)",
    re.I,
)


class Redactor:
    """Masks a run's known secrets (raw, URL-quoted, base64) and secrets that look like ones."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {s for s in secrets if len(s) >= MIN_SECRET_LENGTH}
        forms = known | {quote(s, safe="") for s in known} | {quote_plus(s) for s in known}
        forms |= {base64.b64encode(s.encode()).decode().rstrip("=") for s in known}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _URL_USERINFO.sub(rf"\g<scheme>:{MASK}@", text)
        return _KEYED.sub(rf"\g<key>{MASK}", text)

    def value(self, value: Any) -> Any:
        """The same inside containers."""
        return _map_text(self, value)

    def known(self, value: Any) -> Any:
        """Only the known secrets, inside containers: for data, whose looks prove nothing."""
        pattern = self._known
        return value if pattern is None else _map_text(lambda text: pattern.sub(MASK, text), value)


def _map_text(change: Callable[[str], str], value: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _map_text(change, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_text(change, item) for item in value]
    return value


_anonymous = Redactor()


def redact(text: str) -> str:
    """Mask what looks like a secret, knowing none."""
    return _anonymous(text)


def redact_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """structlog processor."""
    return {key: _anonymous.value(value) for key, value in event.items()}
