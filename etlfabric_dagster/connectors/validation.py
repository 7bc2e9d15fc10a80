"""A connection's config and secrets against its connector's spec, in words a person can act on.

Values are never quoted: a password may stand in the wrong field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.connections import ConnectorSpec

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "empty",
}


def validate_connection(
    spec: ConnectorSpec, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> None:
    """Check both halves of a connection.

    Raises:
        InvalidInputError: `where["field"]` is the dotted path, `secrets.` before a secret's.
    """
    validate_config(spec, config)
    _validate(spec, spec.secrets_schema, dict(secrets), "secrets")


def validate_config(spec: ConnectorSpec, config: Mapping[str, Any]) -> None:
    """Check the config alone: an edit that leaves the stored secrets as they are.

    Raises:
        InvalidInputError: `where["field"]` is the dotted path.
    """
    _validate(spec, spec.config_schema, dict(config), "")


def _validate(
    spec: ConnectorSpec, schema: dict[str, Any], given: dict[str, Any], prefix: str
) -> None:
    errors = list(Draft202012Validator(schema).iter_errors(given))
    if errors:
        # Plain errors first: a branch of anyOf explains less than a field that is simply missing.
        plain = [error for error in errors if not error.context]
        error = plain[0] if plain else best_match(errors)
        raise _refusal(spec, error, prefix)


def _refusal(spec: ConnectorSpec, error: ValidationError, prefix: str) -> InvalidInputError:
    path = [part for part in (prefix, *map(str, error.absolute_path)) if part]
    keyword, schema = error.validator, error.schema
    assert isinstance(schema, Mapping)
    if keyword == "required":
        return _missing(spec, error, path)
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        return _unknown(spec, error, path)
    message, remedy = _wrong_value(str(keyword), error.validator_value, schema)
    field = ".".join(path)
    subject = f"“{field}” of {spec.title}" if field else f"The config of {spec.title}"
    return InvalidInputError(f"{subject} {message}.", remedy, field=field)


def _missing(spec: ConnectorSpec, error: ValidationError, path: list[str]) -> InvalidInputError:
    wanted, given = cast("Iterable[str]", error.validator_value), cast("dict", error.instance)
    name = next(name for name in wanted if name not in given)
    kind = "secret" if path[:1] == ["secrets"] else "option"
    field = ".".join([*path, name])
    return InvalidInputError(
        f"{spec.title} needs the {kind} “{name}”.", f"Give {field}.", field=field
    )


def _unknown(spec: ConnectorSpec, error: ValidationError, path: list[str]) -> InvalidInputError:
    assert isinstance(error.schema, Mapping)
    known = sorted(error.schema.get("properties", {}))
    name = next(name for name in cast("dict", error.instance) if name not in known)
    close = get_close_matches(name, known, 1)
    remedy = f"Did you mean “{close[0]}”?" if close else f"Known: {', '.join(known) or 'none'}."
    field = ".".join([*path, name])
    kind = "secret" if path[:1] == ["secrets"] else "option"
    return InvalidInputError(f"{spec.title} has no {kind} “{name}”.", remedy, field=field)


def _wrong_value(keyword: str, wanted: Any, schema: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong with a value, and what to give instead."""
    if keyword == "type":
        names = [wanted] if isinstance(wanted, str) else wanted
        kind = " or ".join(_TYPES.get(name, name) for name in names)
        return f"must be {kind}", "Correct its type."
    if keyword in ("enum", "const"):
        options = ", ".join(map(str, wanted if keyword == "enum" else [wanted]))
        return "is not one of its options", f"Choose one of: {options}."
    if keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        low, high = schema.get("minimum", "…"), schema.get("maximum", "…")
        return "is out of range", f"Give a number from {low} to {high}."
    if keyword in ("minLength", "minItems", "minProperties"):
        return "is empty", "Fill it in."
    if keyword in ("maxLength", "maxItems", "maxProperties"):
        return "is too long", f"Give at most {wanted}."
    hint = schema.get("x-remedy") or schema.get("description") or "See the connector's spec."
    return "does not have the form that is wanted", hint
