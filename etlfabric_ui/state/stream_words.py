"""How a stream may load, and how that reads in a row and in a drawer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.streams import (
    ColumnPolicy,
    DiscoveredStream,
    Discovery,
    LoadMode,
)
from etlfabric_dagster.services import stream_settings
from etlfabric_ui import formats, strings
from etlfabric_ui.views.shared import Moment
from etlfabric_ui.views.streams import ColumnChoice, ModeChoice, StreamDetail, StreamRow

Settings = dict[str, Any]
"""A `StreamSettings` as JSON: what one entry of a streams file holds."""
BY_CURSOR = (LoadMode.INCREMENTAL, LoadMode.APPEND)
BY_KEY = (LoadMode.MERGE, LoadMode.SCD2)
SHOWN_COLUMNS = 200
LONG = 40
"""Letters of a value that are shown."""
MASKED = "***"
PERSONAL = {
    "an IP address": r"(^|_)ip(_|$)|ip_?addr",
    "an email": r"e_?mail",
    "a phone number": r"phone|mobile|(^|_)tel(_|$)",
    "a name": r"(first|last|full|sur|family|given)_?name",
    "an address": r"street|address|zip_?code|postal",
    "a birth date": r"birth|(^|_)dob(_|$)",
    "an identity number": r"(^|_)(ssn|iban|passport|tax_id)(_|$)",
}
"""What a column's name suggests → how such names look."""


def default(stream: DiscoveredStream, *, selected: bool) -> Settings:
    """What a stream gets before anybody chose."""
    settings = stream_settings.default_settings(stream).model_dump(mode="json")
    return {**settings, "selected": selected}


def modes(stream: DiscoveredStream, settings: Mapping[str, Any]) -> list[str]:
    """Those that can work: by cursor needs one, by key needs a key."""
    found = [str(LoadMode.FULL)]
    if stream.cursor_candidates:
        found += [str(mode) for mode in BY_CURSOR]
    if stream.primary_key or settings.get("primary_key"):
        found += [str(mode) for mode in BY_KEY]
    current = settings.get("mode", LoadMode.FULL)
    return found if current in found else [*found, str(current)]


def with_mode(stream: DiscoveredStream, settings: Settings, mode: str) -> Settings:
    """The same, loaded another way, with the cursor and key that this needs."""
    cursor = settings.get("cursor") or next(iter(stream.cursor_candidates), None)
    return {
        **settings,
        "mode": mode,
        "cursor": cursor if mode in BY_CURSOR else None,
        "primary_key": settings.get("primary_key") or list(stream.primary_key),
    }


def with_key(stream: DiscoveredStream, settings: Settings, column: str) -> Settings:
    """The same, with the column put into the key or taken out; keys stand in column order."""
    key = {*settings.get("primary_key", ())} ^ {column}
    ordered = [one.name for one in stream.columns if one.name in key]
    return {**settings, "primary_key": ordered}


def with_policy(settings: Settings, column: str, policy: str) -> Settings:
    """The same, with the column's values kept, hashed, masked or left out."""
    columns = {name: one for name, one in settings.get("columns", {}).items() if name != column}
    if policy != ColumnPolicy.KEEP:
        columns[column] = {"policy": policy}
    return {**settings, "columns": columns}


def with_start(settings: Settings, text: str) -> Settings:
    """The same, from this cursor value on; whole numbers are numbers."""
    start: Any = text.strip() or None
    if start and re.fullmatch(r"-?\d{1,18}", start):
        start = int(start)
    return {**settings, "initial_value": start}


def problem_in(stream: DiscoveredStream, settings: Settings) -> str:
    """Why it cannot be loaded so; empty when it can."""
    try:
        stream_settings.resolve({stream.name: settings}, Discovery(streams=(stream,)))
    except InvalidInputError as exc:
        return f"{exc.message} {exc.remedy}".strip()
    return ""


def set_mode_on(
    streams: Iterable[DiscoveredStream], known: Mapping[str, Settings], mode: str
) -> tuple[dict[str, Settings], list[str]]:
    """What changes when a mode is set on all of them, and which of them cannot take it."""
    changed, skipped = {}, []
    for stream in streams:
        before = known[stream.name]
        after = with_mode(stream, before, mode)
        if mode not in modes(stream, before) or problem_in(stream, after):
            skipped.append(stream.name)
        elif after != before:
            changed[stream.name] = after
    return changed, skipped


def bulk_report(mode: str, changed: int, skipped: int) -> str:
    """“Incremental set on 212 streams. 26 have no cursor and stay as they are.”"""
    name = strings.LOAD_MODES[mode][0]
    said = f"{name} set on {formats.plural(changed, 'stream')}."
    if skipped:
        lacks = "cursor" if mode in BY_CURSOR else "key"
        verb = "has" if skipped == 1 else "have"
        stay = "stays as it is" if skipped == 1 else "stay as they are"
        said += f" {formats.exact(skipped)} {verb} no {lacks} and {stay}."
    return said


def in_short(settings: Mapping[str, Any] | None) -> str:
    """“Incremental by updated_at, key id, 2 columns with a policy”."""
    if settings is None or not settings["selected"]:
        return "Not loaded"
    said = strings.LOAD_MODES[settings["mode"]][0]
    said += f" by {settings['cursor']}" if settings.get("cursor") else ""
    said += f", key {', '.join(settings['primary_key'])}" if settings.get("primary_key") else ""
    policies = len(settings.get("columns", {}))
    return said + (f", {formats.plural(policies, 'column')} with a policy" if policies else "")


def row(
    stream: DiscoveredStream,
    settings: Mapping[str, Any],
    *,
    edited: bool = False,
    result: str = "",
    loaded: str = "",
    fresh: Moment | None = None,
    gone: bool = False,
) -> StreamRow:
    """A stream in the table."""
    dropped = sum(
        one["policy"] == ColumnPolicy.DROP for one in settings.get("columns", {}).values()
    )
    total = len(stream.columns)
    note = problem_in(stream, dict(settings)) if settings["selected"] else ""
    return StreamRow(
        name=stream.name,
        mode=settings["mode"],
        modes=modes(stream, settings),
        key=", ".join(settings.get("primary_key") or stream.primary_key) or formats.UNKNOWN,
        cursor=settings.get("cursor") or "",
        cursors=_cursors(stream, settings),
        columns=formats.share(total - dropped, total) if total else formats.UNKNOWN,
        rows=formats.estimate(stream.row_estimate),
        selected=settings["selected"],
        edited=edited,
        result=result,
        loaded=loaded,
        fresh=fresh or Moment(),
        note=strings.GONE if gone else note,
    )


def detail(
    stream: DiscoveredStream,
    settings: Mapping[str, Any],
    table: str,
    samples: Mapping[str, str] | None = None,
) -> StreamDetail:
    """A stream in its drawer."""
    possible = modes(stream, settings)
    policies, key = settings.get("columns", {}), settings.get("primary_key", ())
    shown = stream.columns[:SHOWN_COLUMNS]
    hidden = len(stream.columns) - len(shown)
    return StreamDetail(
        name=stream.name,
        table=table,
        mode=settings["mode"],
        modes=[
            ModeChoice(name, title, says, "" if name in possible else _needs(name))
            for name, (title, says) in strings.LOAD_MODES.items()
        ],
        cursor=settings.get("cursor") or "",
        cursors=_cursors(stream, settings) if settings["mode"] in BY_CURSOR else [],
        start=str(settings.get("initial_value") or ""),
        columns=[
            _column(one.name, one.type, one.name in key, policies, samples or {}) for one in shown
        ],
        more=f"{hidden} more columns are kept as they are." if hidden else "",
        problem=problem_in(stream, dict(settings)) if settings["selected"] else "",
    )


def sample_text(values: Iterable[Any]) -> str:
    """“1, 2, NULL”."""
    return ", ".join("NULL" if value is None else str(value)[:LONG] for value in values)


def with_samples(shown: StreamDetail, samples: Mapping[str, str]) -> StreamDetail:
    """The drawer with values, as the columns' policies let them be seen."""
    columns = [
        replace(one, sample=_seen(samples.get(one.name, ""), one.policy)) for one in shown.columns
    ]
    return replace(shown, columns=columns)


def why_no_values(samples: Mapping[str, str], refused: str) -> str:
    """Empty where there are some; `refused` is what the source said."""
    if samples:
        return ""
    return f"No values to show: {refused}" if refused else "No values to show yet."


def looks_like(column: str) -> str:
    """What a column's name suggests it holds of a person; empty when nothing."""
    lowered = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column).lower()
    return next((what for what, look in PERSONAL.items() if re.search(look, lowered)), "")


def _column(
    name: str, kind: str, is_key: bool, policies: Mapping[str, Any], samples: Mapping[str, str]
) -> ColumnChoice:
    policy = policies.get(name, {}).get("policy", str(ColumnPolicy.KEEP))
    personal = looks_like(name) if policy == ColumnPolicy.KEEP and not is_key else ""
    hint = f"Looks like {personal}. Hash it?" if personal else ""
    return ColumnChoice(name, kind, is_key, policy, _seen(samples.get(name, ""), policy), hint)


def _seen(sample: str, policy: str) -> str:
    """Masked as the policy will."""
    if policy == ColumnPolicy.KEEP or not sample:
        return sample
    return {ColumnPolicy.MASK: MASKED, ColumnPolicy.HASH: "hashed"}.get(ColumnPolicy(policy), "")


def _cursors(stream: DiscoveredStream, settings: Mapping[str, Any]) -> list[str]:
    chosen = settings.get("cursor")
    known = list(stream.cursor_candidates)
    return known if not chosen or chosen in known else [chosen, *known]


def _needs(mode: str) -> str:
    return "No column can be its cursor." if mode in BY_CURSOR else "Choose its key below first."
