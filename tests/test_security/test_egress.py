"""The address guard: what may be dialled, by table; nothing here leaves loopback."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from etlfabric_dagster.errors import ConnectorError, EgressDeniedError, InvalidInputError
from etlfabric_dagster.schemas.jobs import EgressPolicy
from etlfabric_dagster.security import egress

CLOSED = EgressPolicy()
LOOPBACK_OPEN = EgressPolicy(allow=("127.0.0.0/8", "::1/128"), deny=("127.0.0.1:5432",))

PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.4.12",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]


@pytest.fixture(autouse=True)
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """`connect` is stubbed: a leak in the guard is counted, never made."""
    seen: list[object] = []

    class Stub(socket.socket):
        def connect(self, address):
            seen.append(address)

    monkeypatch.setattr(socket, "socket", Stub)
    return seen


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch):
    """Names answer what the test says; numbers answer themselves."""
    zone: dict[str, list[str]] = {}

    def getaddrinfo(host, port, *_args):
        if host not in zone:
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", (address, port)) for address in zone[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    egress._compile.cache_clear()
    yield zone
    egress._compile.cache_clear()


def refused(address: str, port: int, policy: EgressPolicy) -> bool:
    try:
        egress.vet(address, port, policy)
    except EgressDeniedError:
        return True
    return False


def test_public_addresses_pass():
    assert [a for a in PUBLIC if refused(a, 443, CLOSED)] == []


def test_every_private_spelling_is_refused():
    assert [a for a in PRIVATE if not refused(a, 443, CLOSED)] == []


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "localhost", "::1", "0"]
)
def test_loopback_is_refused_however_it_is_written(host, dialled):
    with pytest.raises(EgressDeniedError):
        egress.resolve_pinned(host, 5432, CLOSED)
    assert dialled == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::ffff:127.0.0.1", "127.1", "127.0.0.9", "::1"])
def test_the_platforms_own_server_is_refused_although_loopback_is_open(host):
    assert egress.resolve_pinned(host, 5433, LOOPBACK_OPEN)
    with pytest.raises(EgressDeniedError, match="belongs to this install"):
        egress.resolve_pinned(host, 5432, LOOPBACK_OPEN)


def test_an_opened_endpoint_opens_one_port_only():
    policy = EgressPolicy(allow=("10.0.4.12:5432", "[fd00::5]:3306"))
    assert not refused("10.0.4.12", 5432, policy)
    assert not refused("fd00::5", 3306, policy)
    assert refused("10.0.4.12", 5433, policy)
    assert refused("10.0.4.13", 5432, policy)


def test_the_address_that_was_vetted_is_the_one_to_dial(dns):
    dns["db.acme.io"] = ["93.184.216.34"]
    assert egress.resolve_pinned("db.acme.io", 5432, CLOSED) == "93.184.216.34"


def test_one_private_answer_spoils_a_name(dns):
    dns["db.acme.io"] = ["93.184.216.34", "10.0.4.12"]
    with pytest.raises(EgressDeniedError) as caught:
        egress.resolve_pinned("db.acme.io", 5432, CLOSED)
    assert caught.value.message.startswith("10.0.4.12 is a private address")
    assert caught.value.remedy == "Ask an operator to open 10.0.4.12:5432."


def test_an_opened_name_follows_its_addresses_and_an_unknown_one_opens_nothing(dns):
    dns["db.internal"] = ["10.0.4.12"]
    policy = EgressPolicy(allow=("db.internal:5432", "gone.internal:5432"))
    assert egress.resolve_pinned("db.internal", 5432, policy) == "10.0.4.12"


@pytest.mark.parametrize(
    "host",
    ["", "/var/run/postgresql", "@abstract", "a,b", "a b", "x" * 300, "a\0b", "a\n", "nope.test"],
)
def test_what_is_not_a_host_has_no_address(dns, host):
    with pytest.raises(ConnectorError) as caught:
        egress.resolve_pinned(host, 5432, CLOSED)
    assert caught.value.code == "host_unknown"


def test_a_malformed_allow_entry_is_named():
    with pytest.raises(InvalidInputError, match="“10.0.0.0/99”"):
        egress.vet("8.8.8.8", 1, EgressPolicy(allow=("10.0.0.0/99",)))


def test_a_dial_by_name_or_to_a_local_socket_is_refused():
    with socket.socket() as inet, socket.socket(socket.AF_UNIX) as unix:
        with pytest.raises(EgressDeniedError, match="by name"):
            egress.vet_dial(inet, ("localhost", 80), LOOPBACK_OPEN)
        with pytest.raises(EgressDeniedError, match="local socket"):
            egress.vet_dial(unix, "/run/docker.sock", LOOPBACK_OPEN)


def test_only_the_open_forward_may_be_dialled():
    with socket.socket() as sock:
        with egress.open_forward(40001):
            egress.vet_dial(sock, ("127.0.0.1", 40001), CLOSED)
            with pytest.raises(EgressDeniedError):
                egress.vet_dial(sock, ("127.0.0.1", 40002), CLOSED)
        with pytest.raises(EgressDeniedError):
            egress.vet_dial(sock, ("127.0.0.1", 40001), CLOSED)


HOOKED = """
import socket
from etlfabric_dagster.errors import EgressDeniedError
from etlfabric_dagster.schemas.jobs import EgressPolicy
from etlfabric_dagster.security.egress import install_audit_hook

server = socket.create_server(("127.0.0.1", 0))
open_port = server.getsockname()[1]
install_audit_hook(EgressPolicy(allow=(f"127.0.0.1:{open_port}",)))
socket.create_connection(("127.0.0.1", open_port), 5).close()
attempts = [
    lambda: socket.create_connection(("10.255.255.1", 80), 0.1),
    lambda: socket.socket().connect(("localhost", open_port)),
    lambda: socket.socket().connect_ex(("127.0.0.1", 1)),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("169.254.169.254", 53)),
    lambda: socket.socket(socket.AF_UNIX).connect("/nonexistent"),
]
for attempt in attempts:
    try:
        attempt()
    except EgressDeniedError:
        print("refused")
"""


def test_the_audit_hook_refuses_before_the_dial():
    done = subprocess.run([sys.executable, "-c", HOOKED], capture_output=True, text=True)
    assert done.stdout.split() == ["refused"] * 5, done.stderr
