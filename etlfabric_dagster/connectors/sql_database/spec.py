"""The form of a database connection: config and secrets as JSON Schema."""

from __future__ import annotations

from etlfabric_dagster.schemas.connections import ConnectorSpec

DIALECTS = ("postgresql", "mysql", "mariadb", "mssql", "oracle")
TLS_MODES = ("prefer", "require", "verify-full")
_TEXT = {
    "type": "string",
    "minLength": 1,
    "pattern": r"^[^\u0000-\u001f\u007f\ud800-\udfff]*$",
    "x-remedy": "Take out line breaks and control characters.",
}
_HOST = {**_TEXT, "maxLength": 253}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}

_CONFIG = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["dialect", "host", "database", "username"],
    "properties": {
        "dialect": {
            "title": "Database",
            "description": "Which product it is.",
            "enum": list(DIALECTS),
            "default": "postgresql",
            "order": 1,
        },
        "host": {
            **_HOST,
            "title": "Host",
            "description": "Name or address; behind an SSH tunnel, as the SSH server sees it.",
            "order": 2,
        },
        "port": {
            **_PORT,
            "title": "Port",
            "description": "PostgreSQL 5432, MySQL 3306, SQL Server 1433, Oracle 1521 unless set.",
            "order": 3,
        },
        "database": {
            **_TEXT,
            "maxLength": 128,
            "title": "Database name",
            "description": "With Oracle, the service name.",
            "order": 4,
        },
        "username": {
            **_TEXT,
            "maxLength": 128,
            "title": "User",
            "description": "A user that may only read is enough.",
            "order": 5,
        },
        "schema": {
            **_TEXT,
            "maxLength": 128,
            "title": "Schema",
            "description": "Whose tables to load: “public” in PostgreSQL, “dbo” in SQL Server, "
            "the user's own in Oracle unless set. MySQL has none.",
            "order": 6,
        },
        "tls": {
            "title": "TLS",
            "description": "prefer: encrypt where the server can. require: refuse to go on "
            "without. verify-full: also check the certificate and the host's name.",
            "enum": list(TLS_MODES),
            "default": "prefer",
            "order": 7,
        },
        "ca": {
            "type": "string",
            "maxLength": 65536,
            "pattern": "-----BEGIN CERTIFICATE-----",
            "x-remedy": "Paste the whole PEM file of the CA.",
            "title": "CA certificate",
            "description": "PEM of the CA that signed the server's certificate, if it is your own.",
            "format": "textarea",
            "order": 8,
        },
        "ssh": {
            "type": "object",
            "additionalProperties": False,
            "required": ["host", "username"],
            "title": "SSH tunnel",
            "description": "Reach the database through an SSH server.",
            "order": 9,
            "properties": {
                "host": {**_HOST, "title": "SSH host", "description": "", "order": 1},
                "port": {
                    **_PORT,
                    "title": "SSH port",
                    "description": "",
                    "default": 22,
                    "order": 2,
                },
                "username": {
                    **_TEXT,
                    "title": "SSH user",
                    "description": "",
                    "order": 3,
                },
                "host_key": {
                    "type": "string",
                    "title": "SSH host key",
                    "description": "Its public key, as in known_hosts (“ssh-ed25519 AAAA…”). "
                    "Empty: the first check trusts what the server shows, and it is kept here.",
                    "order": 4,
                },
            },
        },
    },
}
_SECRETS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["password"],
    "properties": {
        "password": {
            **_TEXT,
            "minLength": 0,
            "title": "Password",
            "description": "Of the database user.",
            "format": "password",
            "order": 1,
        },
        "ssh_private_key": {
            "type": "string",
            "title": "SSH private key",
            "description": "OpenSSH or PEM, without a passphrase. For an SSH tunnel.",
            "format": "password",
            "order": 2,
        },
    },
}

SPEC = ConnectorSpec(
    name="sql_database",
    title="SQL database",
    group="Databases",
    description="Tables and views of PostgreSQL, MySQL, MariaDB, SQL Server and Oracle.",
    config_schema=_CONFIG,
    secrets_schema=_SECRETS,
)
