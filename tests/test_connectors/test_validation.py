"""What is wrong with a connection is said by field, never by value."""

from __future__ import annotations

import pytest

from etlfabric_dagster.connectors.validation import validate_config, validate_connection
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.connections import ConnectorSpec

SPEC = ConnectorSpec(
    name="db",
    title="Database",
    group="Databases",
    description="",
    config_schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["host"],
        "properties": {
            "host": {"type": "string", "minLength": 1, "maxLength": 9},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535},
            "tls": {"enum": ["prefer", "require"]},
            "name": {"type": "string", "pattern": "^[a-z]+$", "description": "Small letters."},
            "ssh": {
                "type": "object",
                "additionalProperties": False,
                "required": ["user"],
                "properties": {"user": {"type": "string"}},
            },
        },
    },
    secrets_schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["password"],
        "properties": {"password": {"type": "string"}},
    },
)
SECRETS = {"password": "canary-pw"}


def test_a_good_connection_passes():
    validate_connection(SPEC, {"host": "h", "port": 1, "ssh": {"user": "u"}}, SECRETS)


@pytest.mark.parametrize(
    ("config", "secrets", "field", "message", "remedy"),
    [
        ({}, SECRETS, "host", "needs the option “host”", "Give host."),
        ({"host": "h", "hots": 1}, SECRETS, "hots", "has no option “hots”", "Did you mean “host”?"),
        ({"host": "h", "dsn": 1}, SECRETS, "dsn", "no option “dsn”", "Known: host, name, port"),
        ({"host": 5}, SECRETS, "host", "must be text", "type"),
        ({"host": "h", "port": "5432"}, SECRETS, "port", "must be a whole number", "type"),
        ({"host": "h", "port": 0}, SECRETS, "port", "out of range", "from 1 to 65535"),
        ({"host": "h", "tls": "no"}, SECRETS, "tls", "not one of", "prefer, require"),
        ({"host": ""}, SECRETS, "host", "is empty", "Fill"),
        ({"host": "x" * 10}, SECRETS, "host", "too long", "at most 9"),
        ({"host": "h", "name": "A"}, SECRETS, "name", "form", "Small letters."),
        ({"host": "h", "ssh": {}}, SECRETS, "ssh.user", "option “user”", "Give ssh.user."),
        ({"host": "h", "ssh": {"user": "u", "key": 1}}, SECRETS, "ssh.key", "“key”", "user"),
        ({"host": "h"}, {}, "secrets.password", "secret “password”", "Give secrets.password."),
        ({"host": "h"}, {**SECRETS, "x": "y"}, "secrets.x", "no secret “x”", "Known: password"),
    ],
)
def test_the_field_and_the_way_out_are_named(config, secrets, field, message, remedy):
    with pytest.raises(InvalidInputError) as caught:
        validate_connection(SPEC, config, secrets)
    assert caught.value.where["field"] == field
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_a_value_is_never_quoted():
    with pytest.raises(InvalidInputError) as caught:
        validate_config(SPEC, {"host": "h", "port": "canary-pw", "tls": "canary-pw"})
    assert "canary" not in caught.value.message + caught.value.remedy + str(caught.value.where)
