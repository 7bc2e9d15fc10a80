"""The way to a database: SSH tunnel, TLS with a private CA, several addresses."""

from __future__ import annotations

import io
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest

from etlfabric_dagster.connectors.sql_database import CONNECTOR
from etlfabric_dagster.connectors.sql_database.certificate import issuer_of
from etlfabric_dagster.connectors.sql_database.road import open_road
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import EgressPolicy, SourceConfig
from etlfabric_dagster.schemas.streams import CheckResult
from etlfabric_dagster.security import egress
from etlfabric_dagster.testing import free_port
from tests.test_connectors.conftest import LOOPBACK, Loader, Source
from tests.test_connectors.servers import (
    SshServer,
    mariadb,
    postgres_with_tls,
    ssh_server,
)

# --- SSH -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> paramiko.RSAKey:
    return paramiko.RSAKey.generate(2048)


@pytest.fixture
def bastion(key: paramiko.RSAKey) -> Iterator[SshServer]:
    with ssh_server(key) as server:
        yield server


def pem(key: paramiko.PKey) -> str:
    text = io.StringIO()
    key.write_private_key(text)
    return text.getvalue()


def tunneled(
    source: Source, bastion: SshServer, key: paramiko.PKey, host: str = "db.internal", **ssh: Any
) -> SourceConfig:
    """The source as seen through the bastion; only the bastion's address is open, and its key
    is known unless the test says otherwise.
    """
    ssh = {"host_key": bastion.host_key} | ssh
    config = source.with_config(
        host=host, ssh={"host": "127.0.0.1", "port": bastion.port, "username": "tunnel", **ssh}
    )
    secrets = {**config.secrets, "ssh_private_key": pem(key)}
    policy = EgressPolicy(allow=(f"127.0.0.1:{bastion.port}",))
    return config.model_copy(update={"secrets": secrets, "egress": policy})


def test_tunnel_reaches_a_host_that_only_the_bastion_knows(
    source: Source, loader: Loader, bastion: SshServer, key: paramiko.RSAKey
):
    source.run("create table t as select n, repeat('x', 1000) as v from generate_series(1, 5000) n")
    through = tunneled(source, bastion, key)
    assert CONNECTOR.check(through).ok
    assert loader.load(through, "t") == 5000
    assert source.rows("select count(*), sum(n) from raw.t") == source.rows(
        "select count(*), sum(n) from t"
    )
    assert set(bastion.forwarded) == {("db.internal", source.config.config["port"])}


def test_tunnel_ends_with_the_session(source: Source, bastion: SshServer, key: paramiko.RSAKey):
    with open_road(Target.parse(tunneled(source, bastion, key))) as road:
        socket.create_connection((road.address, road.port), 5).close()
        assert egress._forwards == {road.port}
    assert egress._forwards == set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((road.address, road.port), 5)


def failing(result: CheckResult, step: str, cause: str) -> None:
    assert not result.ok
    assert cause in result.cause
    assert result.remedy
    assert (result.steps[-1].name, result.steps[-1].ok) == (step, False)


def test_key_that_is_not_authorized_is_told(source: Source, bastion: SshServer):
    stranger = paramiko.RSAKey.generate(2048)
    failing(
        CONNECTOR.check(tunneled(source, bastion, stranger)),
        "ssh",
        "The SSH server 127.0.0.1 refused the key of “tunnel”.",
    )


def test_key_that_cannot_be_read_is_told_and_not_shown(
    source: Source, bastion: SshServer, key: paramiko.RSAKey
):
    config = tunneled(source, bastion, key)
    broken = config.model_copy(update={"secrets": {**config.secrets, "ssh_private_key": "canary"}})
    result = CONNECTOR.check(broken)
    failing(result, "ssh", "The private key for 127.0.0.1 cannot be read.")
    assert "canary" not in result.model_dump_json()


def test_host_key_is_checked_when_given(source: Source, bastion: SshServer, key: paramiko.RSAKey):
    right = CONNECTOR.check(tunneled(source, bastion, key))
    assert (right.ok, right.host_key) == (True, "")
    wrong = tunneled(source, bastion, key, host_key=f"{key.get_name()} {key.get_base64()}")
    result = CONNECTOR.check(wrong)
    failing(result, "ssh", f"now {bastion.host_key.split()[0]} SHA256:")
    assert "ssh.host_key" in result.remedy


def test_first_check_trusts_the_host_key_and_says_so(
    source: Source, bastion: SshServer, key: paramiko.RSAKey
):
    result = CONNECTOR.check(tunneled(source, bastion, key, host_key=""))
    assert result.ok
    assert result.host_key == bastion.host_key
    assert "SHA256:" in result.steps[0].detail


def test_nothing_but_a_check_trusts_a_host_key(
    source: Source, loader: Loader, bastion: SshServer, key: paramiko.RSAKey
):
    source.run("create table t as select 1 as n")
    with pytest.raises(ConnectorError, match="is not known yet") as refused:
        loader.load(tunneled(source, bastion, key, host_key=""), "t")
    assert refused.value.code == "ssh_host_key_unknown"
    assert bastion.forwarded == []


def test_bastion_that_may_not_forward_is_told(source: Source, key: paramiko.RSAKey):
    with ssh_server(key, forwards=False) as bastion:
        failing(
            CONNECTOR.check(tunneled(source, bastion, key)),
            "reach",
            "The SSH server 127.0.0.1 cannot reach db.internal:",
        )


def test_bastion_that_is_down_or_closed_is_told(
    source: Source, bastion: SshServer, key: paramiko.RSAKey
):
    config = tunneled(source, bastion, key)
    closed = config.model_copy(update={"egress": EgressPolicy()})
    failing(CONNECTOR.check(closed), "address", "127.0.0.1 is a private address")
    down = tunneled(source, bastion, key, port=free_port())
    down = down.model_copy(update={"egress": LOOPBACK})
    failing(CONNECTOR.check(down), "ssh", "does not answer")
    no_ssh = tunneled(source, bastion, key, port=source.config.config["port"])
    no_ssh = no_ssh.model_copy(update={"egress": LOOPBACK})
    failing(CONNECTOR.check(no_ssh), "ssh", "does not speak SSH as expected")


# --- TLS -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """A private CA and certificates it signed for 127.0.0.1 and for another name."""

    folder: Path

    @property
    def pem(self) -> str:
        return (self.folder / "ca.crt").read_text()

    def certify(self, name: str, subject_alt_name: str) -> tuple[Path, Path, Path]:
        key, request, crt = (self.folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        extension = self.folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={subject_alt_name}\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                 "-out", request)  # fmt: skip
        _openssl("x509", "-req", "-in", request, "-CA", self.folder / "ca.crt", "-CAkey",
                 self.folder / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", extension,
                 "-out", crt)  # fmt: skip
        return self.folder / "ca.crt", crt, key


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _self_sign(folder: Path, name: str) -> None:
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-keyout", folder / "ca.key", "-out", folder / "ca.crt")  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("ca")
    _self_sign(folder, "Acme Internal CA")
    return Authority(folder)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stranger")
    _self_sign(folder, "Somebody")
    return (folder / "ca.crt").read_text()


def secured(dialect: str, port: int, username: str, password: str, **config: Any) -> SourceConfig:
    database = "postgres" if dialect == "postgresql" else "mysql"
    base = {"dialect": dialect, "host": "127.0.0.1", "port": port, "database": database}
    return SourceConfig(
        connector="sql_database",
        config={**base, "username": username, **config},
        secrets={"password": password},
        egress=LOOPBACK,
    )


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def tls_server(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Any]:
    """Makes connections to a server whose certificate names 127.0.0.1."""
    ca, crt, key = authority.certify(request.param, "IP:127.0.0.1")
    if request.param == "postgresql":
        with postgres_with_tls(ca, crt, key) as port:
            yield lambda **config: secured("postgresql", port, "reader", "pw", **config)
        return
    for path in (crt, key, ca, authority.folder, *authority.folder.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):  # the server's user reads them
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    with mariadb(f"--ssl-ca={ca}", f"--ssl-cert={crt}", f"--ssl-key={key}") as server:
        yield lambda **config: secured("mariadb", server.port, "root", server.password, **config)


def tls_step(result: CheckResult) -> tuple[bool, str]:
    return next((step.ok, step.detail) for step in result.steps if step.name == "tls")


@pytest.mark.parametrize("mode", ["prefer", "require"])
def test_tls_is_used_and_named(tls_server: Any, mode: str):
    result = CONNECTOR.check(tls_server(tls=mode))
    assert tls_step(result)[0]
    assert tls_step(result)[1].startswith("TLS")


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_private_ca_is_trusted_when_given(tls_server: Any, authority: Authority, mode: str):
    assert tls_step(CONNECTOR.check(tls_server(tls=mode, ca=authority.pem)))[0]


def test_certificate_of_an_unknown_ca_is_refused_by_its_name(tls_server: Any, stranger: str):
    full = CONNECTOR.check(tls_server(tls="verify-full"))
    signed = "The certificate of 127.0.0.1 is signed by “Acme Internal CA”, "
    failing(full, "tls", signed + "which is not trusted here.")
    assert full.remedy == "Paste that CA's certificate."
    chain = CONNECTOR.check(tls_server(tls="require", ca=stranger))
    failing(chain, "tls", signed + "not by the CA certificate you gave.")


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x30\x00"])
def test_what_is_no_certificate_has_no_issuer(der: bytes):
    with pytest.raises((IndexError, ValueError)):
        issuer_of(der)


def test_certificate_for_another_name_is_refused_by_verify_full_only(authority: Authority):
    ca, crt, key = authority.certify("other", "DNS:db.acme.test")
    with postgres_with_tls(ca, crt, key) as port:
        full = secured("postgresql", port, "reader", "pw", tls="verify-full", ca=authority.pem)
        failing(CONNECTOR.check(full), "tls", "was issued for another name")
        chain = secured("postgresql", port, "reader", "pw", tls="require", ca=authority.pem)
        assert tls_step(CONNECTOR.check(chain))[0]


def test_ca_file_is_private_and_gone_afterwards(authority: Authority, source: Source):
    config = source.with_config(tls="require", ca=authority.pem)
    with open_road(Target.parse(config)) as road:
        assert road.ca_file
        assert Path(road.ca_file).stat().st_mode & 0o777 == 0o600
    assert not Path(road.ca_file).exists()


# --- addresses -----------------------------------------------------------------------------------


def test_first_address_that_answers_is_taken(source: Source, monkeypatch: pytest.MonkeyPatch):
    numeric = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *rest: int) -> list[Any]:
        if host != "db.acme.io":
            return numeric(host, port, *rest)
        answers = ["127.0.0.9", "127.0.0.1"]  # nobody listens on the first
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in answers]

    with monkeypatch.context() as patch:
        patch.setattr("etlfabric_dagster.security.egress.socket.getaddrinfo", getaddrinfo)
        target = Target.parse(source.with_config(host="db.acme.io"))
        with open_road(target) as road:
            assert road.address == "127.0.0.1"
