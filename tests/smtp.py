"""A real SMTP server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message as Letter

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import AuthResult

from etlfabric_dagster.testing import free_port

LOGIN = ("mailer", "p@ss/word")
USERINFO = "mailer:p%40ss%2Fword@"


class Inbox(Message):
    """What arrived, and with which login."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[Letter] = []
        self.logins: list[tuple[str, str]] = []
        self.encrypted: list[bool] = []

    def handle_message(self, message: Letter) -> None:
        self.letters.append(message)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return await super().handle_DATA(server, session, envelope)

    def authenticate(self, _server, _session, _envelope, _mechanism, given) -> AuthResult:
        found = given.login.decode(), given.password.decode()
        self.logins.append(found)
        return AuthResult(success=found == LOGIN, handled=False)


@contextmanager
def smtp_server(host: str = "127.0.0.1", **options: object) -> Iterator[tuple[Inbox, str]]:
    """An inbox and its `host:port`."""
    inbox, port = Inbox(), free_port()
    server = Controller(
        inbox, hostname=host, port=port, authenticator=inbox.authenticate, **options
    )
    server.start()
    try:
        yield inbox, f"{host}:{port}"
    finally:
        server.stop()
