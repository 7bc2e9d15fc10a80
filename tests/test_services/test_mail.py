"""Letters reach a real SMTP server: in clear on this machine, over TLS elsewhere, with a login."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
from pydantic import SecretStr

from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import StackError
from etlfabric_dagster.services import mail
from etlfabric_dagster.testing import free_port
from tests.smtp import LOGIN, USERINFO, smtp_server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
        + ["/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
def use(install, monkeypatch) -> Callable[[str], None]:
    """Point the settings at a server."""
    return lambda url: monkeypatch.setattr(settings, "smtp_url", SecretStr(url))


@pytest.fixture
def tls(certificate, monkeypatch) -> SSLContext:
    """Of a server whose certificate this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_letter_arrives_whole(use):
    with smtp_server() as (inbox, at):
        use(f"smtp://{at}")
        assert mail.is_set_up()
        await mail.send(["ana@example.com", "bo@example.com"], "Grüße\nBcc: x@example.com", "ä\n")
    letter = inbox.letters[0]
    assert letter["To"] == "ana@example.com, bo@example.com"
    assert letter["Bcc"] is None  # a line break in a subject starts no header
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_payload(decode=True) == "ä\r\n".encode()


async def test_starttls_is_taken_where_it_is_offered_and_the_login_follows(use, tls):
    with smtp_server(tls_context=tls, require_starttls=True) as (inbox, at):
        use(f"smtp://{USERINFO}{at}")
        await mail.send("ana@example.com", "Hello", "text")
    assert (inbox.logins, inbox.encrypted) == ([LOGIN], [True])


async def test_smtps_speaks_tls_from_the_start(use, tls):
    with smtp_server(ssl_context=tls, auth_require_tls=False) as (inbox, at):
        use(f"smtps://{USERINFO}{at}")
        await mail.send("ana@example.com", "Hello", "text")
    assert (inbox.logins, len(inbox.letters)) == ([LOGIN], 1)


async def test_certificate_nobody_trusts_is_refused(use, certificate):
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with smtp_server(tls_context=context) as (inbox, at):
        use(f"smtp://{USERINFO}{at}")
        with pytest.raises(StackError) as refused:
            await mail.send("ana@example.com", "Hello", "text")
    assert "SSLCertVerificationError" in refused.value.message
    assert (inbox.logins, inbox.letters) == ([], [])


async def test_password_is_not_sent_in_clear_over_a_network(use):
    with smtp_server("127.0.0.2", auth_require_tls=False) as (inbox, at):
        use(f"smtp://{USERINFO}{at}")
        with pytest.raises(StackError, match="no TLS"):
            await mail.send("ana@example.com", "Hello", "text")
    assert inbox.logins == []


async def test_wrong_login_is_told_without_the_password(use, tls):
    with smtp_server(tls_context=tls) as (inbox, at):
        use(f"smtp://mailer:sesame-open@{at}")
        with pytest.raises(StackError) as refused:
            await mail.send("ana@example.com", "Hello", "text")
        assert not await mail.try_to_send("ana@example.com", "Hello", "text")
    assert "535" in refused.value.message
    assert "sesame" not in refused.value.message
    assert inbox.letters == []


async def test_server_that_is_away_is_told(use):
    use(f"smtp://127.0.0.1:{free_port()}")
    with pytest.raises(StackError, match="did not take a message: ConnectionRefusedError"):
        await mail.send("ana@example.com", "Hello", "text")
