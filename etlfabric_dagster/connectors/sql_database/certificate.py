"""Who signed a server's certificate, asked without trusting it: a person needs the CA's name.

Python's ssl shows a certificate's fields only once it was verified, so the few bytes of DER that
lead to the issuer are read here. Nothing but a handshake is sent: no user, no password.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

from etlfabric_dagster.connectors.sql_database.road import Road
from etlfabric_dagster.errors import ConnectorError

_POSTGRES_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_MYSQL_SSL_REQUEST = struct.pack("<I", 32 | 1 << 24) + struct.pack("<IIB23x", 0x8A00, 1 << 24, 45)
_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_VERSION_TAG = 0xA0
_MAX_NAME = 200


def issuer(road: Road) -> str:
    """Name of the CA that signed the certificate of the server; empty when that cannot be told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with road.dial() as sock:
            sock.settimeout(5)
            _ask_for_tls(sock, road.target.dialect)
            with context.wrap_socket(sock) as secure:
                return issuer_of(secure.getpeercert(binary_form=True) or b"")
    except (OSError, ConnectorError, IndexError, ValueError):
        return ""


def issuer_of(der: bytes) -> str:
    """Common name of a certificate's issuer, else its organization.

    Raises:
        IndexError, ValueError: this is no certificate.
    """
    certificate = _first(der)
    fields = list(_elements(_first(certificate)))
    name = fields[3 if fields[0][0] == _VERSION_TAG else 2][1]  # (version,) serial, algorithm
    found: dict[bytes, str] = {}
    for _, relative in _elements(name):
        for _, attribute in _elements(relative):
            (_, kind), (_, value) = _elements(attribute)
            found[kind] = value.decode("utf-8", "replace")
    text = found.get(_COMMON_NAME) or found.get(_ORGANIZATION) or ""
    return "".join(char for char in text if char.isprintable())[:_MAX_NAME]


def _first(der: bytes) -> bytes:
    return list(_elements(der))[0][1]


def _ask_for_tls(sock: socket.socket, dialect: str) -> None:
    if dialect == "postgresql":
        sock.sendall(_POSTGRES_SSL_REQUEST)
        sock.recv(1)
    else:
        sock.recv(4096)  # the greeting
        sock.sendall(_MYSQL_SSL_REQUEST)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element in a row of DER."""
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(der[at : at + width], "big"), at + width
        if at + size > len(der):
            raise ValueError("truncated DER")
        yield tag, der[at : at + size]
        at += size
