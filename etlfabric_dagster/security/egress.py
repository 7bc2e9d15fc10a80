"""Which addresses a tenant's connection may dial. Pure apart from name resolution; no settings.

A name is resolved once, every answer is vetted, and the caller connects to the address returned:
nobody can answer differently between the check and the connect. Drivers written in C take that
address (`hostaddr`, a connected socket); for Python code the sandbox child installs an audit hook
that vets each connect again. Threats and figures: SECURITY.md, row SSRF.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from etlfabric_dagster.errors import ConnectorError, EgressDeniedError, InvalidInputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Global by Python's tables, yet nobody's public server: relay anycast, carrier NAT, cloud agents.
_NEVER_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "fd00:ec2::254/128",
        "fec0::/10",
    )
]
_NAT64 = [ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48")]
_FORBIDDEN_IN_HOST = frozenset("/@,\\?#'\" \t\r\n\0")
_MAX_HOST_LENGTH = 253  # RFC 1035
_DIALS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_forwards: set[int] = set()


class Policy(Protocol):
    """`schemas.jobs.EgressPolicy`: addresses opened, and servers closed whatever is opened."""

    @property
    def allow(self) -> tuple[str, ...]:
        """`CIDR` or `host:port`."""
        ...

    @property
    def deny(self) -> tuple[str, ...]:
        """`host:port`."""
        ...


def resolve_pinned(host: str, port: int, policy: Policy) -> str:
    """The address to dial for `host:port`: numeric, every answer of the resolver vetted. Blocking.

    Raises:
        EgressDeniedError: one of its addresses is private, or the platform's own.
        ConnectorError: code `host_unknown`; nobody answers to that name.
    """
    return resolve_all(host, port, policy)[0]


def resolve_all(host: str, port: int, policy: Policy) -> list[str]:
    """Every address of `host`, vetted, IPv4 first: more machines have a route for it. Blocking.

    Raises: as `resolve_pinned`.
    """
    if not host or len(host) > _MAX_HOST_LENGTH or _FORBIDDEN_IN_HOST & set(host):
        raise _unknown(host[:_MAX_HOST_LENGTH])
    try:
        answers = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (OSError, ValueError) as exc:  # UnicodeError, embedded NUL and gaierror among them
        raise _unknown(host) from exc
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    for address in addresses:
        vet(address, port, policy)
    return sorted(addresses, key=lambda address: ":" in address)


def vet(address: str, port: int, policy: Policy) -> None:
    """Refuse a numeric address that must not be dialled.

    Raises:
        EgressDeniedError: it is private and not opened, or the platform's own.
    """
    rules = _compile(policy.allow, policy.deny)
    ip = _embedded(ipaddress.ip_address(address.split("%")[0]))
    if rules.denies(ip, port):
        raise EgressDeniedError(
            f"{_joined(ip, port)} belongs to this install itself and is never a source.",
            "Choose the database or service that holds your data.",
            address=_joined(ip, port),
        )
    if not (rules.allows(ip, port) or _is_public(ip)):
        raise EgressDeniedError(
            f"{ip} is a private address; this install keeps private networks closed.",
            f"Ask an operator to open {_joined(ip, port)}.",
            address=_joined(ip, port),
        )


def refuse_plaintext(host: str, address: str, port: int) -> None:
    """Plain http is for private hosts that an operator opened; anyone reads it on the internet.

    Raises:
        EgressDeniedError: `address` is public.
    """
    if _is_public(_embedded(ipaddress.ip_address(address))):
        raise EgressDeniedError(
            f"http://{host} would send the credentials in clear text over the internet.",
            "Write https:// instead.",
            address=f"{address}:{port}",
        )


def install_audit_hook(policy: Policy) -> None:
    """Vet every connect that Python code makes in this process, for good.

    Only numeric internet addresses pass: a name would be resolved again behind our back, and a Unix
    socket leads to the machine's own servers.
    """

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _DIALS:
            vet_dial(args[0], args[1], policy)

    sys.addaudithook(hook)


def vet_dial(sock: socket.socket, address: Any, policy: Policy) -> None:
    """What the audit hook asks about one dial.

    Raises:
        EgressDeniedError: see `vet`; also for names and for other families than IPv4 and IPv6.
    """
    if address is None:  # sendmsg on a socket whose connect was vetted
        return
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        raise EgressDeniedError("A local socket is not a source.", "Give a host and a port.")
    host, port = address[0], address[1]
    if host == "127.0.0.1" and port in _forwards:
        return
    try:
        vet(host, port, policy)
    except ValueError as exc:
        raise EgressDeniedError(
            f"“{host}” was dialled by name, past the address check.", "Give its address."
        ) from exc


@contextmanager
def open_forward(port: int) -> Iterator[None]:
    """Let this process dial its own SSH forward on loopback while the block runs."""
    _forwards.add(port)
    try:
        yield
    finally:
        _forwards.discard(port)


@dataclass(frozen=True)
class _Rules:
    networks: tuple[Network, ...]
    opened: frozenset[tuple[Address, int]]
    closed: frozenset[tuple[Address, int]]

    def allows(self, ip: Address, port: int) -> bool:
        in_network = any(ip.version == net.version and ip in net for net in self.networks)
        return in_network or (ip, port) in self.opened

    def denies(self, ip: Address, port: int) -> bool:
        """A server on one loopback address is taken to listen on all of them."""
        if (ip, port) in self.closed:
            return True
        local = ip.is_loopback or ip.is_unspecified
        return local and any(port == shut and own.is_loopback for own, shut in self.closed)


@lru_cache(maxsize=64)
def _compile(allow: tuple[str, ...], deny: tuple[str, ...]) -> _Rules:
    networks = [net for entry in allow if (net := _network(entry))]
    pairs = [entry for entry in allow if not _network(entry)]
    return _Rules(tuple(networks), _endpoints(pairs), _endpoints(deny))


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return None


def _endpoints(entries: list[str] | tuple[str, ...]) -> frozenset[tuple[Address, int]]:
    found: set[tuple[Address, int]] = set()
    for entry in entries:
        host, colon, port = entry.strip().rpartition(":")
        if not (host and colon and port.isdecimal()):
            raise InvalidInputError(
                f"“{entry}” is neither a CIDR nor host:port.",
                "Write 10.0.0.0/8 or db.internal:5432.",
                field="egress_allow",
            )
        found |= {(ip, int(port)) for ip in _addresses(host.strip("[]"), int(port))}
    return frozenset(found)


def _addresses(host: str, port: int) -> set[Address]:
    """All addresses of an operator's entry; an entry that does not resolve opens nothing."""
    try:
        answers = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (OSError, ValueError):
        return set()
    return {_embedded(ipaddress.ip_address(str(a[4][0]).split("%")[0])) for a in answers}


def _embedded(ip: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if ip.version == 4:
        return ip
    if ip.ipv4_mapped:
        return ip.ipv4_mapped
    if ip.sixtofour:
        return ip.sixtofour
    if ip.teredo:
        return ip.teredo[1]
    compatible = 1 < int(ip) < 1 << 32
    if compatible or any(ip in net for net in _NAT64):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _is_public(ip: Address) -> bool:
    if any(ip.version == net.version and ip in net for net in _NEVER_PUBLIC):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _joined(ip: Address, port: int) -> str:
    return f"{ip}:{port}" if ip.version == 4 else f"[{ip}]:{port}"


def _unknown(host: str) -> ConnectorError:
    return ConnectorError(
        f"No address found for {host or 'an empty host'}. The name is probably misspelled.",
        "Correct the host.",
        code="host_unknown",
    )
