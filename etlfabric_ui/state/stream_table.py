"""The table where one chooses how streams load, shared by the wizard and a pipeline's page.

Choices gather in the state; whoever mixes this in decides when they are saved.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.streams import ColumnPolicy, DiscoveredStream, Discovery
from etlfabric_ui import strings
from etlfabric_ui.state import stream_words as words
from etlfabric_ui.state.guards import Visit, guarded
from etlfabric_ui.views.streams import StreamDetail, StreamRow

PAGE = 50
ALL, SELECTED, ATTENTION = "all", "selected", "attention"


class StreamTable(rx.State, mixin=True):
    """Searched, filtered and paged on the server; bulk changes act on exactly what is shown."""

    streams: list[StreamRow] = []
    found: int = 0
    matching: int = 0
    chosen: int = 0
    attention: int = 0
    stream_query: str = ""
    only: str = ALL
    page_number: int = 0
    pages: int = 1
    said: str = ""
    """What the last bulk change did."""
    detail: StreamDetail = StreamDetail()
    drawer: bool = False
    _settings: dict[str, dict[str, Any]] = {}
    values_said: str = ""
    """Why the drawer shows no values."""
    _samples: dict[str, str] = {}

    @rx.event
    @guarded(Role.VIEWER)
    async def filter_streams(self, visit: Visit, query: str, only: str) -> None:
        """Streams or columns whose name contains it, of all, the selected, or the troubled."""
        self.stream_query, self.page_number, self.said = query[:60], 0, ""
        self.only = only if only in (ALL, SELECTED, ATTENTION) else ALL
        self._show(await self._discovery(visit))

    @rx.event
    @guarded(Role.VIEWER)
    async def turn(self, visit: Visit, by: int) -> None:
        """Another page of streams."""
        self.page_number = min(max(0, self.page_number + by), self.pages - 1)
        self._show(await self._discovery(visit))

    @rx.event
    @guarded(Role.EDITOR)
    async def select(self, visit: Visit, name: str, selected: bool) -> None:
        """Take or leave one stream."""
        discovery = await self._discovery(visit)
        if self._one(discovery, name) is not None:
            self._put({name: {**self._all()[name], "selected": bool(selected)}})
        await self._changed(visit, discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def select_matching(self, visit: Visit, selected: bool) -> None:
        """Exactly those that the filter shows."""
        discovery = await self._discovery(visit)
        known = self._all()
        self._put(
            {
                one.name: {**known[one.name], "selected": bool(selected)}
                for one in self._matching(discovery)
            }
        )
        await self._changed(visit, discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def set_mode_matching(self, visit: Visit, mode: str) -> None:
        """Set a load mode on exactly those selected streams that the filter shows."""
        if mode not in strings.LOAD_MODES:
            return
        discovery = await self._discovery(visit)
        known = self._all()
        meant = [one for one in self._matching(discovery) if known[one.name]["selected"]]
        changed, skipped = words.set_mode_on(meant, known, mode)
        self._put(changed)
        await self._changed(visit, discovery)
        self.said = words.bulk_report(mode, len(changed), len(skipped))

    @rx.event
    @guarded(Role.EDITOR)
    async def set_mode(self, visit: Visit, name: str, mode: str) -> None:
        """How a stream is loaded."""
        discovery = await self._discovery(visit)
        stream = self._one(discovery, name)
        if stream is not None and mode in words.modes(stream, self._all()[name]):
            self._put({name: words.with_mode(stream, self._all()[name], mode)})
        await self._changed(visit, discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def set_cursor(self, visit: Visit, name: str, cursor: str) -> None:
        """By which column a stream's new rows are found."""
        discovery = await self._discovery(visit)
        stream = self._one(discovery, name)
        if stream is not None and cursor in stream.cursor_candidates:
            self._put({name: {**self._all()[name], "cursor": cursor}})
        await self._changed(visit, discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def toggle_key(self, visit: Visit, name: str, column: str) -> None:
        """Put a column into the key, or take it out."""
        discovery = await self._discovery(visit)
        stream = self._one(discovery, name)
        if stream is not None:
            self._put({name: words.with_key(stream, self._all()[name], column)})
        await self._changed(visit, discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def set_policy(self, visit: Visit, name: str, column: str, policy: str) -> None:
        """What happens to a column's values before they are stored."""
        discovery = await self._discovery(visit)
        stream = self._one(discovery, name)
        known = {one.name for one in stream.columns} if stream else set()
        if column in known and policy in tuple(ColumnPolicy):
            self._put({name: words.with_policy(self._all()[name], column, policy)})
        await self._changed(visit, discovery)

    @rx.event
    @guarded(Role.EDITOR)
    async def start_at(self, visit: Visit, name: str, text: str) -> None:
        """Leave out rows before this cursor value."""
        discovery = await self._discovery(visit)
        if self._one(discovery, name) is not None:
            self._put({name: words.with_start(self._all()[name], text[:100])})
        await self._changed(visit, discovery)

    @rx.event
    @guarded(Role.VIEWER)
    async def open_stream(self, visit: Visit, name: str) -> Any:
        """Its columns, key and policies, in the drawer; its values follow."""
        discovery = await self._discovery(visit)
        stream = self._one(discovery, name)
        if stream is None:
            return None
        self._samples, self.values_said = {}, ""
        self.drawer, self.detail = True, self._detail(stream)
        return type(self).sample_stream(name)  # pyright: ignore[reportCallIssue]

    @rx.event(background=True)
    @guarded(Role.VIEWER)
    async def sample_stream(self, visit: Visit, name: str) -> Any:
        """A few values of each column, while the drawer is open already."""
        try:
            found, refused = await self._sample(visit, name), ""
        except FabricError as exc:
            found, refused = {}, exc.message
        async with self:
            if self.drawer and self.detail.name == name:
                self._samples, self.values_said = found, words.why_no_values(found, refused)
                self.detail = words.with_samples(self.detail, found)

    @rx.event
    @guarded(Role.VIEWER)
    async def close_stream(self, _visit: Visit) -> None:
        """Back to the table; what was chosen stays chosen."""
        self.drawer = False

    async def _discovery(self, visit: Visit) -> Discovery:
        """What the connection offers."""
        raise NotImplementedError

    def _table_of(self, name: str) -> str:
        """The raw table of a stream."""
        raise NotImplementedError

    async def _sample(self, _visit: Visit, _name: str) -> dict[str, str]:
        """A few values per column, where some are known. Reads the state, changes nothing. Raises
        FabricError.
        """
        return {}

    async def _changed(self, _visit: Visit, discovery: Discovery) -> None:
        """After each choice."""
        self._show(discovery)

    def _all(self) -> dict[str, words.Settings]:
        """The choices as plain values: Reflex hands out proxies, which pydantic does not read."""
        return getattr(self._settings, "__wrapped__", self._settings)

    def _put(self, changed: dict[str, words.Settings]) -> None:
        self._settings = {**self._all(), **changed}

    def _row(self, stream: DiscoveredStream) -> StreamRow:
        return words.row(stream, self._all()[stream.name])

    def _show(self, discovery: Discovery) -> None:
        known = [one for one in discovery.streams if one.name in self._all()]
        matching = self._matching(discovery)
        self.found, self.matching = len(known), len(matching)
        self.chosen = sum(one["selected"] for one in self._all().values())
        self.attention = sum(self._troubled(one) for one in known)
        self.pages = max(1, -(-len(matching) // PAGE))
        self.page_number = min(self.page_number, self.pages - 1)
        first = self.page_number * PAGE
        self.streams = [self._row(one) for one in matching[first:][:PAGE]]
        stream = self._one(discovery, self.detail.name) if self.drawer else None
        if stream is not None:
            self.detail = self._detail(stream)

    def _matching(self, discovery: Discovery) -> list[DiscoveredStream]:
        wanted = self.stream_query.casefold()
        return [
            one
            for one in discovery.streams
            if one.name in self._all()
            and (
                wanted in one.name.casefold()
                or any(wanted in column.name.casefold() for column in one.columns)
            )
            and (self.only != SELECTED or self._all()[one.name]["selected"])
            and (self.only != ATTENTION or self._troubled(one))
        ]

    def _troubled(self, stream: DiscoveredStream) -> bool:
        settings = self._all()[stream.name]
        return bool(settings["selected"] and words.problem_in(stream, settings))

    def _detail(self, stream: DiscoveredStream) -> StreamDetail:
        table = self._table_of(stream.name)
        return words.detail(stream, self._all()[stream.name], table, self._samples)

    def _one(self, discovery: Discovery, name: str) -> DiscoveredStream | None:
        found = next((one for one in discovery.streams if one.name == name), None)
        return found if found is not None and name in self._all() else None
