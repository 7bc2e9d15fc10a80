"""What an edit of streams would do, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from etlfabric_dagster.schemas.discovered import EditPlan, StreamEffect
from etlfabric_ui import formats

NAMED = 3
FIELDS = {
    "mode": "load mode",
    "cursor": "cursor",
    "primary_key": "key",
    "initial_value": "start",
}


def effects_of(plan: EditPlan) -> list[str]:
    """Reloads first: they cost most."""
    by_effect: dict[str, list[StreamEffect]] = {}
    for one in plan.streams:
        by_effect.setdefault(one.effect, []).append(one)
    said = [_reloaded(one) for one in by_effect.get("reloaded", [])[:NAMED]]
    rest = by_effect.get("reloaded", [])[NAMED:]
    if rest:
        said.append(f"{_streams(rest)} more reload in full{_about(rest)}.")
    added = by_effect.get("added", [])
    if added:
        said.append(f"{_named(added)} will be loaded from the next run on{_about(added)}.")
    removed = by_effect.get("removed", [])
    if removed:
        stays = "its table stays" if len(removed) == 1 else "their tables stay"
        said.append(f"{_named(removed)} will not be loaded any more; {stays}.")
    changed = by_effect.get("changed", [])
    if changed:
        said.append(f"{_named(changed)}: takes effect at the next run.")
    if plan.models:
        said.append(f"dbt models that build on them: {_list(plan.models)}.")
    return said


def _reloaded(one: StreamEffect) -> str:
    why = " and ".join(FIELDS[field] for field in one.fields if field in FIELDS)
    verb = "changed" if " and " not in why else "change"
    because = f" because its {why} {verb}" if why else ""
    return f"{one.name} will reload in full at the next run{_about([one])}{because}."


def _about(effects: Sequence[StreamEffect]) -> str:
    known = [one.rows for one in effects if one.rows is not None]
    if not known:
        return ""
    at_least = "at least" if len(known) < len(effects) else "about"
    return f" ({at_least} {formats.count(sum(known))}{formats.NBSP}rows)"


def _streams(effects: Sequence[StreamEffect]) -> str:
    return formats.plural(len(effects), "stream")


def _named(effects: Sequence[StreamEffect]) -> str:
    if len(effects) <= NAMED:
        return _list([one.name for one in effects])
    return _streams(effects)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown
