"""A form says what the connector's schema says, and gives back what it asked for."""

from __future__ import annotations

import pytest

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.connectors.validation import validate_connection
from etlfabric_ui import forms

SQL = registry.get("sql_database").spec
POSTGRES = {"dialect": "postgresql"}
FILLED = {
    "config.host": "db.acme.io",
    "config.port": "5433",
    "config.database": "shop",
    "config.username": "reader",
    "config.tls": "require",
    "config.ssh.port": "22",
    "secrets.password": "hunter2",
}


def test_what_a_connection_needs_is_shown_and_the_rest_is_folded() -> None:
    main, folds = forms.layout(SQL.config_schema, SQL.secrets_schema, {}, preset=POSTGRES)

    shown = ["config.host", "config.port", "config.database", "config.username", "secrets.password"]
    assert [one.name for one in main] == shown
    assert [(one.title, one.summary) for one in folds] == [
        ("Schema", "not set"),
        ("TLS", "prefer"),
        ("CA certificate", "not set"),
        ("SSH tunnel", "off"),
    ]


def test_nothing_folded_is_required_by_the_browser() -> None:
    _, folds = forms.layout(SQL.config_schema, SQL.secrets_schema, {}, preset=POSTGRES)

    assert [one.name for fold in folds for one in fold.fields if one.required] == []


def test_private_key_of_the_tunnel_stands_beside_it() -> None:
    _, folds = forms.layout(SQL.config_schema, SQL.secrets_schema, {}, preset=POSTGRES)

    assert "secrets.ssh_private_key" in [one.name for one in folds[-1].fields]


def test_submitted_form_is_a_valid_connection() -> None:
    config, secrets = forms.collect(SQL.config_schema, SQL.secrets_schema, FILLED, POSTGRES)

    assert config == {
        **POSTGRES,
        **{"host": "db.acme.io", "port": 5433, "database": "shop"},
        **{"username": "reader", "tls": "require"},
    }
    assert secrets == {"password": "hunter2"}
    validate_connection(SQL, config, secrets)


def test_default_port_alone_is_no_tunnel_and_a_host_is_one() -> None:
    given = FILLED | {"config.ssh.host": "bastion", "config.ssh.username": "me"}
    config, _ = forms.collect(SQL.config_schema, SQL.secrets_schema, given, POSTGRES)

    assert config["ssh"] == {"host": "bastion", "port": 22, "username": "me"}


def test_a_secret_s_value_never_comes_back_into_the_form() -> None:
    values = {"secrets.password": "hunter2"}
    main, folds = forms.layout(
        SQL.config_schema, SQL.secrets_schema, values, preset=POSTGRES, stored=("password",)
    )

    password = next(one for one in main if one.name == "secrets.password")
    assert (password.value, password.stored, password.required) == ("", True, False)
    assert "hunter2" not in str((main, folds))


def test_error_opens_the_fold_it_is_in() -> None:
    _, folds = forms.layout(
        SQL.config_schema,
        SQL.secrets_schema,
        {},
        preset=POSTGRES,
        errors={"config.ca": "Paste the whole file."},
    )

    assert [one.title for one in folds if one.open] == ["CA certificate"]


@pytest.mark.parametrize(
    ("connector", "field", "text"),
    [
        ("sql_database", "config.port", "many"),
        ("rest_api", "config.resources", "[not json"),
    ],
)
def test_what_cannot_be_read_names_its_field(connector: str, field: str, text: str) -> None:
    spec = registry.get(connector).spec

    with pytest.raises(forms.FormError) as refused:
        forms.collect(spec.config_schema, spec.secrets_schema, {field: text}, {})
    assert refused.value.name == field


@pytest.mark.parametrize("connector", registry.names())
def test_every_connector_has_a_form_with_labels(connector: str) -> None:
    spec = registry.get(connector).spec
    main, folds = forms.layout(spec.config_schema, spec.secrets_schema, {})

    fields = [*main, *(one for fold in folds for one in fold.fields)]
    assert all(one.label and one.element for one in fields)
    assert len({one.name for one in fields}) == len(fields)
