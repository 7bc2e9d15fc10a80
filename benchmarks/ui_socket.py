"""One open browser as the backend sees it: the panel's websocket, without the drawing."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import websockets

NAMESPACE = "/_event,"
STATE = "reflex___state____state"
HYDRATED = '"is_hydrated_rx_state_":true'
ANSWER_S = 120


class PanelSocket:
    """A page that is open. `send` returns when the backend has answered."""

    def __init__(
        self,
        api: str,
        ui: str,
        cookie: str,
        path: str,
        query: dict[str, str],
        *,
        tab: str = "",
    ) -> None:
        """`path` as in the browser's bar of `ui`; `query` what its route names: `org_slug`, …

        Args:
            tab: of a page that was opened before, maybe on another process: it goes on as it is.
        """
        url = urlsplit(api)
        self.tab, self._is_open = tab or str(uuid4()), bool(tab)
        self._url = f"ws://{url.netloc}/_event/?token={self.tab}&EIO=4&transport=websocket"
        self._headers = {"Cookie": f"etlfabric={cookie}", "Origin": ui}
        self._router = {"pathname": path, "asPath": path, "query": query}
        self._answered, self._awaited = asyncio.Event(), NAMESPACE
        self.received: list[str] = []

    async def __aenter__(self) -> PanelSocket:
        self._socket = await websockets.connect(
            self._url, additional_headers=self._headers, max_size=None, open_timeout=ANSWER_S
        )
        self._reader = asyncio.create_task(self._read())
        await self._socket.send(f"40{NAMESPACE}")
        await self._next()
        if not self._is_open:
            self._awaited = HYDRATED
            await self._raise(f"{STATE}.hydrate_and_load", {})
            await self._next()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()

    async def send(self, name: str, /, **payload: Any) -> float:
        """Raise an event; seconds until the backend has changed something of its state."""
        self._awaited = f'"{name.rpartition(".")[0]}":'
        self.received.clear()
        self._answered.clear()
        began = time.perf_counter()
        await self._raise(name, payload)
        await self._next()
        return time.perf_counter() - began

    async def _raise(self, name: str, payload: dict[str, Any]) -> None:
        event = {"name": name, "payload": payload, "router_data": self._router}
        await self._socket.send(f"42{NAMESPACE}{json.dumps(['event', event])}")

    async def _next(self) -> None:
        await asyncio.wait_for(self._answered.wait(), ANSWER_S)
        self._answered.clear()

    async def _read(self) -> None:
        async for frame in self._socket:
            text = str(frame)
            if text == "2":
                await self._socket.send("3")
            elif text.startswith(f"4{'0' if text[1] == '0' else '2'}{NAMESPACE}"):
                self.received.append(text)
                if self._awaited in text:
                    self._answered.set()
