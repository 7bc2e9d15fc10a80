"""The public error tree. Each error carries a message, a remedy and a stable code; services
know no HTTP codes.
"""

from __future__ import annotations

from typing import Any


class FabricError(Exception):
    """Something was refused or failed, and there is a way out.

    Args:
        message: what happened and why, naming the object. No secrets, ever.
        remedy: one step, imperative.
        code: stable identifier that interfaces may switch on; the class default otherwise.
        where: facts for machines (ids, names, line numbers), shown in JSON.
    """

    code = "error"

    def __init__(
        self, message: str, remedy: str = "", *, code: str | None = None, **where: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or type(self).code
        self.where = where

    def as_dict(self) -> dict[str, Any]:
        """The JSON shape of ARCHITECTURE: message and remedy first, then code and facts."""
        found = {"message": self.message, "remedy": self.remedy, "code": self.code, **self.where}
        return found if self.code == self.kind else found | {"kind": self.kind}

    @property
    def kind(self) -> str:
        """The code of its class, whatever its own code is: with it the class is found again."""
        return type(self).code


class NotFoundError(FabricError):
    """The object does not exist, or belongs to another org: both read the same."""

    code = "not_found"


class ConflictError(FabricError):
    """The object exists already, or changed since it was read."""

    code = "conflict"


class EditedMeanwhileError(ConflictError):
    """Somebody saved the object after it was read: the edit would undo theirs."""

    code = "edited_meanwhile"


class GoneError(FabricError):
    """It was there, and worked once: used, expired or revoked."""

    code = "gone"


class RateLimitedError(FabricError):
    """Too many tries; `where["retry_after_s"]` says when to go on."""

    code = "rate_limited"


class NotAnsweredYetError(FabricError):
    """The work goes on; `where["request"]` is the id under which its answer will be found."""

    code = "not_answered_yet"


class TooLargeError(FabricError):
    """What was sent is larger than the limit."""

    code = "too_large"


class InvalidInputError(FabricError):
    """What was given cannot be used; `where["field"]` names the field."""

    code = "invalid_input"


class PermissionDeniedError(FabricError):
    """The actor may not do this."""

    code = "permission_denied"


class OrgSuspendedError(FabricError):
    """The org is suspended: nothing runs, all data is kept."""

    code = "org_suspended"


class QuotaError(FabricError):
    """The org has used up what its operator lets it use; all data is kept."""

    code = "quota_reached"


class UnauthenticatedError(FabricError):
    """No credentials, or credentials that are not valid (any more)."""

    code = "unauthenticated"


class CryptoError(FabricError):
    """A sealed payload cannot be opened with the keys at hand."""

    code = "crypto"


class ConnectorError(FabricError):
    """A source cannot be used: host, login, TLS, permission, path, data."""

    code = "connector"


class EgressDeniedError(ConnectorError):
    """The address is private, or the platform's own."""

    code = "egress_denied"


class LoadError(FabricError):
    """A stream could not be loaded; committed data stays."""

    code = "load"


class TransformError(FabricError):
    """A dbt model or test failed, or the project does not compile."""

    code = "transform"


class SandboxError(FabricError):
    """The sandbox child ended without an answer: killed, out of memory, out of time."""

    code = "sandbox"


class LeaseLostError(FabricError):
    """The attempt no longer owns its run: a newer attempt or a verdict took it."""

    code = "lease_lost"


class StackError(FabricError):
    """The stack on this machine cannot start or be reached."""

    code = "stack"


class MigrationError(StackError):
    """The database and the code do not fit together."""

    code = "migration"


def error_from_dict(data: dict[str, Any]) -> FabricError:
    """An error again from its JSON shape: of the class that its kind or code names, else the
    root.
    """
    facts = dict(data)
    message, remedy = facts.pop("message", ""), facts.pop("remedy", "")
    code = facts.pop("code", FabricError.code)
    kind = facts.pop("kind", code)
    return _class_of(kind)(message, remedy, code=code, **facts)


def _class_of(code: str) -> type[FabricError]:
    pending = [FabricError]
    while pending:
        found = pending.pop()
        if found.code == code:
            return found
        pending += found.__subclasses__()
    return FabricError
