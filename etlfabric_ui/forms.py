"""A form from a connector's JSON Schemas, and the connector's config from the form. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etlfabric_ui.views.connections import FieldView, FoldView

SEGMENTS_UP_TO = 4
BESIDE_ITS_HOST = "port"
Schema = Mapping[str, Any]


class FormError(ValueError):
    """A field cannot be read; `name` says which."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name, self.message = name, message


def layout(
    config: Schema,
    secrets: Schema,
    values: Mapping[str, str],
    *,
    preset: Mapping[str, Any] | None = None,
    stored: tuple[str, ...] = (),
    errors: Mapping[str, str] | None = None,
) -> tuple[list[FieldView], list[FoldView]]:
    """The fields to show, and the folds of optional ones.

    Args:
        values: by field name, from an earlier submit; defaults otherwise.
        preset: config that the choice of a tile has settled; not asked for.
        stored: names of secrets that are kept already.
        errors: by field name; a fold with one is open.
    """
    errors = errors or {}
    main, folds = [], []
    for name, part in _ordered(config):
        if name in (preset or {}):
            continue
        required = name in config.get("required", ()) or name == BESIDE_ITS_HOST
        if part.get("type") == "object" and part.get("properties"):
            fields = [
                # what is folded may stay empty: a browser cannot point at a field nobody sees
                _field(
                    f"config.{name}.{inner}",
                    spec,
                    values,
                    required and inner in part.get("required", ()),
                )
                for inner, spec in _ordered(part)
            ]
            fields += [
                _field(f"secrets.{secret}", spec, values, False, stored)
                for secret, spec in _ordered(secrets)
                if secret.startswith(f"{name}_")
            ]
            if required:
                main += fields
            else:
                folds.append(_fold(part.get("title", _words(name)), fields, errors))
            continue
        found = _field(f"config.{name}", part, values, required and name != BESIDE_ITS_HOST)
        if required:
            main.append(found)
        else:
            folds.append(_fold(found.label, [found], errors))
    in_folds = {found.name for fold in folds for found in fold.fields}
    for name, part in _ordered(secrets):
        if f"secrets.{name}" in in_folds:
            continue
        required = name in secrets.get("required", ())
        found = _field(f"secrets.{name}", part, values, required, stored)
        main.append(found) if required else folds.append(_fold(found.label, [found], errors))
    return [_marked(found, errors) for found in main], folds


def collect(
    config: Schema, secrets: Schema, given: Mapping[str, Any], preset: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Config and secrets from what was submitted; empty optional fields are left out.

    Raises FormError naming the field.
    """
    found: dict[str, Any] = dict(preset)
    for name, part in _ordered(config):
        if name in preset:
            continue
        if part.get("type") == "object" and part.get("properties"):
            inner = {
                key: value
                for key, spec in _ordered(part)
                if (value := _read(f"config.{name}.{key}", spec, given)) is not None
            }
            asked = {key for key in inner if "default" not in part["properties"][key]}
            if asked or name in config.get("required", ()):
                found[name] = inner
        elif (value := _read(f"config.{name}", part, given)) is not None:
            found[name] = value
    kept = {
        name.removeprefix("secrets."): str(value)
        for name, value in given.items()
        if name.startswith("secrets.") and value
    }
    return found, kept


def values_of(config: Mapping[str, Any]) -> dict[str, str]:
    """A stored config as the form's fields hold it."""
    found: dict[str, str] = {}
    for name, value in config.items():
        found[f"config.{name}"] = _shown(value)
        if isinstance(value, dict):
            found |= {f"config.{name}.{inner}": _shown(one) for inner, one in value.items()}
    return found


def _ordered(schema: Schema) -> list[tuple[str, Any]]:
    parts = schema.get("properties", {})
    return sorted(parts.items(), key=lambda item: item[1].get("order", 1000))


def _field(
    name: str,
    spec: Schema,
    values: Mapping[str, str],
    required: bool,
    stored: tuple[str, ...] = (),
) -> FieldView:
    last = name.rsplit(".", 1)[-1]
    kind = "secret" if name.startswith("secrets.") else _kind(spec)
    default = spec.get("default", "")
    value = "" if kind == "secret" else values.get(name, _shown(default))
    return FieldView(
        name=name,
        label=str(spec.get("title") or _words(last)),
        kind=kind,
        help=str(spec.get("description", "")),
        value=value,
        options=[str(one) for one in spec.get("enum", ())],
        required=required and last not in stored,
        stored=last in stored and kind == "secret",
        element=name.replace(".", "-"),
    )


def _kind(spec: Schema) -> str:
    if "enum" in spec:
        return "segments" if len(spec["enum"]) <= SEGMENTS_UP_TO else "select"
    if spec.get("format") == "password":
        return "secret"
    if spec.get("format") == "textarea":
        return "area"
    return {"integer": "number", "number": "number", "boolean": "switch"}.get(
        str(spec.get("type")), "json" if spec.get("type") in ("object", "array") else "text"
    )


def _read(name: str, spec: Schema, given: Mapping[str, Any]) -> Any:
    text = str(given.get(name) or "").strip()
    kind = _kind(spec)
    if kind == "switch":
        return text in ("on", "true", "True")
    if not text:
        return None
    try:
        if kind == "number":
            return int(text) if spec.get("type") == "integer" else float(text)
        return json.loads(text) if kind == "json" else text
    except ValueError as exc:
        what = "Write a whole number." if kind == "number" else f"This is not JSON: {exc}."
        raise FormError(name, what) from exc


def _fold(title: str, fields: list[FieldView], errors: Mapping[str, str]) -> FoldView:
    marked = [_marked(found, errors) for found in fields]
    set_to = [f.value for f in fields if f.value] or ["Saved"] * any(f.stored for f in fields)
    plain = len(fields) == 1 and set_to
    summary = str(set_to[0]) if plain else "on" if len(set_to) > 1 else "off"
    if len(fields) == 1 and not set_to:
        summary = "not set"
    return FoldView(title, summary, marked, open=any(found.error for found in marked))


def _marked(found: FieldView, errors: Mapping[str, str]) -> FieldView:
    return replace(found, error=errors.get(found.name, ""))


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, indent=2)
    return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
