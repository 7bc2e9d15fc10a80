"""The SQL editor: CodeMirror 6, bundled by the build (docs/adr/0018)."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.components.component import NoSSRComponent
from reflex.event import passthrough_event_spec


class SqlEditor(NoSSRComponent):
    """Owns its text until it is asked for it: by its keys, or by a button with `data-editor`."""

    library = "$/public/editor.js"
    tag = "SqlEditor"
    lib_dependencies: list[str] = [
        "@codemirror/autocomplete@6.20.4",
        "@codemirror/commands@6.11.1",
        "@codemirror/lang-sql@6.10.0",
        "@codemirror/lang-yaml@6.1.3",
        "@codemirror/language@6.13.1",
        "@codemirror/lint@6.9.8",
        "@codemirror/search@6.7.2",
        "@codemirror/state@6.7.6",
        "@codemirror/view@6.43.15",
        "@lezer/highlight@1.2.5",
    ]

    name: rx.Var[str]
    """Which file: another name opens another text."""
    value: rx.Var[str]
    """The text as it is stored."""
    version: rx.Var[str]
    """Of the stored text; a save names the one it was made from."""
    saved: rx.Var[str]
    """The version that was stored from here; another one came from somebody else."""
    keep: rx.Var[str]
    """Whose unsaved text it is, `person:org`; "" keeps none."""
    language: rx.Var[str]
    """`sql`, `yaml` or ""."""
    label: rx.Var[str]
    refs: rx.Var[bool]
    """Names are completed as dbt refs."""
    tables: rx.Var[list[Any]]
    """`Completion`s."""
    read_only: rx.Var[bool]
    offer: rx.Var[str]
    offer_number: rx.Var[int]
    """Greater than before: take the offered text, undoably."""
    error_line: rx.Var[int]
    error_said: rx.Var[str]

    on_save: rx.EventHandler[passthrough_event_spec(str, str)]
    on_preview: rx.EventHandler[passthrough_event_spec(str)]
    on_compile: rx.EventHandler[passthrough_event_spec(str)]
    on_format: rx.EventHandler[passthrough_event_spec(str)]
    on_compare: rx.EventHandler[passthrough_event_spec(str)]
    on_dirty: rx.EventHandler[passthrough_event_spec(str, bool)]


def asks(what: str, **props: Any) -> dict[str, Any]:
    """Attributes of a button that asks the editor for something: `save`, `preview`, `line` …"""
    return {"data-editor": what, **{f"data-{key}": value for key, value in props.items()}}
