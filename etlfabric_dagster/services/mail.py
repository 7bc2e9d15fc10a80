"""Mail of the platform: through the operator's SMTP server, else into a mailbox in the home."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, make_url

from etlfabric_dagster import clock
from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import StackError
from etlfabric_dagster.logs import log

TIMEOUT_S = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")


async def send(to: str | Sequence[str], subject: str, text: str) -> None:
    """Send one plain-text message. Raises StackError when the server does not take it."""
    recipients = [to] if isinstance(to, str) else list(to)
    message = _message(recipients, subject, text)
    if settings.smtp_url is None:
        await asyncio.to_thread(_keep, message)
        return
    url = make_url(settings.smtp_url.get_secret_value())
    try:
        await asyncio.to_thread(_hand_over, url, message)
    except (OSError, smtplib.SMTPException) as exc:
        raise StackError(
            f"The mail server {url.host} did not take a message: {_reason(exc)}.",
            "Check ETLFABRIC_SMTP_URL and the server's log.",
            code="mail",
        ) from exc


def is_set_up() -> bool:
    """Whether messages leave this machine; otherwise links must be handed on by hand."""
    return settings.smtp_url is not None


def link(path: str) -> str:
    """An address of the control panel."""
    return f"{settings.panel_url}/{path}"


async def try_to_send(to: str, subject: str, text: str) -> bool:
    """Send; whether it left this machine. A refusal of the mail server is logged, not raised."""
    try:
        await send(to, subject, text)
    except StackError as exc:
        log.error("mail.failed", error=exc.message)
        return False
    return is_set_up()


def mailbox() -> Path:
    """Where messages are kept as .eml files while no SMTP server is set."""
    return settings.home_dir / "mailbox"


def _message(recipients: Sequence[str], subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = ", ".join(recipients)
    message["Subject"] = " ".join(subject.split())  # a line break would start another header
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=settings.mail_from.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _keep(message: EmailMessage) -> None:
    mailbox().mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{clock.now():%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}.eml"
    part = mailbox() / f".{name}"
    part.touch(mode=0o600)  # it may hold the link of an invitation
    part.write_bytes(message.as_bytes())
    part.rename(mailbox() / name)


def _hand_over(url: URL, message: EmailMessage) -> None:
    """`smtps://` speaks TLS from the start, `smtp://` turns it on where the server offers it; a
    password never crosses a network without it.
    """
    context = ssl.create_default_context()
    host, port = url.host or "localhost", url.port or (465 if url.drivername == "smtps" else 587)
    if url.drivername == "smtps":
        server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    with server:
        server.ehlo()
        if url.drivername != "smtps" and server.has_extn("starttls"):
            server.starttls(context=context)
        elif url.drivername != "smtps" and url.username and host not in LOOPBACK:
            raise smtplib.SMTPNotSupportedError("no TLS for the login")
        if url.username:
            server.login(url.username, url.password or "")
        server.send_message(message)


def _reason(exc: Exception) -> str:
    """Without the conversation: a refusal may quote credentials."""
    if isinstance(exc, smtplib.SMTPNotSupportedError):
        return "it offers no TLS, or no way to log in, so the password was not sent"
    code = getattr(exc, "smtp_code", None)
    return f"code {code}" if code else type(exc).__name__
