"""The frame: sidebar, top bar, banners, the list of keys. A function of what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.elements import copy_button, icon

ITEMS: tuple[tuple[str, str, str] | None, ...] = (
    ("overview", "Overview", "layout-dashboard"),
    ("connections", "Connections", "plug"),
    ("pipelines", "Pipelines", "workflow"),
    ("runs", "Runs", "activity"),
    None,
    ("dbt-models", "dbt models", "file-code-2"),
    ("lineage", "Lineage", "waypoints"),
    ("data", "Data", "database"),
    None,
    ("schedules", "Schedules", "calendar-clock"),
    ("alerts", "Alerts", "bell"),
    ("settings", "Settings", "settings"),
)


LANDINGS = {"settings": "settings/members"}
"""Page types that open at a section of theirs."""
SEARCH_FROM = 8


@dataclass(frozen=True)
class FrameProps:
    """What the frame shows."""

    org: Any
    org_name: Any
    role: Any
    email: Any
    orgs: Any
    suspended: Any
    contact: Any
    """Of the operator, where one is set."""
    as_operator: Any
    is_operator: Any
    zone: Any
    alerts: Any
    failing: Any
    receipts: Any
    """`said`, `number`, `can_undo`, and the handler `undo`."""
    built: frozenset[str]
    """Page types that exist: a menu entry never leads nowhere."""


def frame(props: FrameProps, current: str, *content: rx.Component) -> rx.Component:
    """A page inside the frame; `current` is its page type, as in the URL."""
    return rx.el.div(
        rx.el.a(strings.SKIP, href="#main", class_name="skip"),
        connection_banner(),
        rx.el.div(
            _top_bar(props),
            _side(props, current),
            rx.el.div(class_name="scrim", custom_attrs={"data-do": "menu"}),
            rx.el.div(
                _banners(props),
                rx.el.main(
                    rx.el.div(*content, class_name="page"),
                    id="main",
                    class_name="main",
                    tab_index=-1,
                ),
            ),
            class_name="frame",
        ),
        receipt(props.receipts),
        keys_dialog(),
        leave_dialog(),
        palette(),
    )


def leave_dialog() -> rx.Component:
    """Asked by panel.js before a page with unsaved changes is left."""

    def choice(label: str, kind: str, what: str) -> rx.Component:
        return rx.el.button(label, type="button", class_name=kind, custom_attrs={"data-do": what})

    return rx.el.dialog(
        rx.el.div(
            rx.el.h2(strings.LEAVE_QUESTION),
            rx.el.p(strings.LEAVE_TEXT),
            rx.el.div(
                choice("Stay", "btn primary", "close"),
                choice(strings.LEAVE, "btn", "leave"),
                class_name="row",
            ),
            class_name="form",
        ),
        id="leave",
        class_name="ask",
        custom_attrs={"aria-label": strings.LEAVE_QUESTION},
    )


def receipt(receipts: Any) -> rx.Component:
    """What was done, for a moment; panel.js takes it away."""
    return rx.el.div(
        rx.cond(
            receipts.said != "",
            rx.el.div(
                icon("circle-check"),
                rx.el.span(receipts.said),
                rx.cond(
                    receipts.can_undo,
                    rx.el.button(
                        strings.UNDO, type="button", class_name="btn", on_click=receipts.undo
                    ),
                ),
                key=receipts.number,
                class_name="receipt",
                custom_attrs={"data-receipt": receipts.number},
            ),
        ),
        class_name="receipts",
        role="status",
    )


def palette() -> rx.Component:
    """“Go to anything”, opened with ⌘K; panel.js fills and filters the list in the browser."""
    return rx.el.dialog(
        rx.el.input(
            class_name="input",
            placeholder=strings.GO_TO,
            auto_complete="off",
            role="combobox",
            custom_attrs={
                "aria-label": strings.GO_TO,
                "aria-controls": "palette-list",
                "aria-expanded": "true",
            },
        ),
        rx.el.ul(id="palette-list", role="listbox", custom_attrs={"aria-label": "Pages"}),
        class_name="palette",
        custom_attrs={"aria-label": strings.GO_TO},
    )


def connection_banner() -> rx.Component:
    """Shown by panel.js when the socket has been away for two seconds."""
    return rx.el.div(
        icon("triangle-alert"),
        strings.RECONNECTING,
        id="connection",
        class_name="banner",
        role="status",
    )


def keys_dialog() -> rx.Component:
    """The list of keys, opened with “?”."""
    return rx.el.dialog(
        rx.el.h2("Keyboard shortcuts"),
        rx.el.dl(
            *(
                part
                for keys, what in strings.KEYS
                for part in (
                    rx.el.dt(*(rx.el.kbd(key) for key in keys.split())),
                    rx.el.dd(what),
                )
            ),
            class_name="kv",
            style={"padding": "16px 0"},
        ),
        rx.el.form(rx.el.button("Close", class_name="btn"), method="dialog"),
        class_name="keys",
        custom_attrs={"aria-label": "Keyboard shortcuts"},
    )


def heading(title: Any, *actions: rx.Component, beside: rx.Component | None = None) -> rx.Component:
    """The page's h1, what stands beside it, and its actions on the right."""
    return rx.el.div(
        rx.el.div(rx.el.h1(title, tab_index=-1), beside or rx.fragment(), class_name="crumbs"),
        rx.el.div(*actions, class_name="actions") if actions else rx.fragment(),
        class_name="head",
    )


def titled(*parts: Any) -> rx.Component:
    """The window's title, where it tells more than the page's name; panel.js sets it."""
    said = " · ".join(f"{part}" for part in parts)
    return rx.el.span(class_name="hidden", custom_attrs={"data-title": said})


def addressed(query: Any) -> rx.Component:
    """Keeps the page's filters in its URL, so that it can be sent on; panel.js writes them."""
    return rx.el.span(class_name="hidden", custom_attrs={"data-query": query})


def _top_bar(props: FrameProps) -> rx.Component:
    return rx.el.div(
        rx.el.button(
            icon("menu", size=20),
            class_name="btn ghost icon",
            type="button",
            custom_attrs={"data-do": "menu", "aria-label": "Menu"},
        ),
        rx.el.span(props.org_name, class_name="strong cut"),
        class_name="topbar",
    )


def _side(props: FrameProps, current: str) -> rx.Component:
    return rx.el.nav(
        _switcher(props, current),
        rx.cond(
            props.org != "",
            rx.fragment(
                *(
                    rx.el.div(class_name="gap") if item is None else _item(props, current, *item)
                    for item in _with_pages(props.built)
                )
            ),
        ),
        _person(props, current),
        class_name="side",
        custom_attrs={"aria-label": "Main"},
    )


def _with_pages(built: frozenset[str]) -> list[tuple[str, str, str] | None]:
    """The entries whose page exists, with no gap at the end or twice."""
    found: list[tuple[str, str, str] | None] = []
    for item in ITEMS:
        if item is None:
            if found and found[-1] is not None:
                found.append(None)
        elif item[0] in built:
            found.append(item)
    return found[:-1] if found and found[-1] is None else found


def _item(props: FrameProps, current: str, page: str, label: str, shape: str) -> rx.Component:
    here = {"aria-current": "page"} if page == current else {}
    return rx.link(
        icon(shape),
        rx.el.span(label, class_name="text"),
        _mark(props, page),
        href=f"/o/{props.org}/{LANDINGS.get(page, page)}",
        class_name="item",
        unstyled=True,
        title=label,
        custom_attrs=here,
    )


def _mark(props: FrameProps, page: str) -> rx.Component:
    """Only where somebody must act."""
    if page == "alerts":
        said = rx.el.span(props.alerts, rx.el.span(" open", class_name="sr"), class_name="count")
        return rx.cond(props.alerts > 0, said)
    if page == "pipelines":
        return rx.cond(
            props.failing > 0,
            rx.el.span(rx.el.span("some are failing", class_name="sr"), class_name="dot"),
        )
    return rx.fragment()


def _switcher(props: FrameProps, current: str) -> rx.Component:
    page = LANDINGS.get(current, current) if current in props.built else "overview"
    return rx.el.div(
        rx.menu.root(
            rx.menu.trigger(
                rx.el.button(
                    icon("building-2"),
                    rx.el.span(props.org_name, class_name="text strong cut grow"),
                    rx.el.span(icon("chevrons-up-down"), class_name="chev"),
                    class_name="switch",
                    type="button",
                    custom_attrs={"aria-label": "Switch org"},
                )
            ),
            rx.menu.content(
                rx.cond(
                    props.orgs.length() >= SEARCH_FROM,
                    rx.el.input(
                        class_name="input org-search",
                        placeholder="Search orgs",
                        custom_attrs={"aria-label": "Search orgs", "data-filter": "org"},
                    ),
                ),
                rx.foreach(
                    props.orgs,
                    lambda org: rx.menu.item(
                        rx.el.span(org.name, class_name="strong cut"),
                        rx.el.span(org.slug, " · ", org.role, class_name="soft small nowrap"),
                        on_select=rx.redirect(f"/o/{org.slug}/{page}"),
                        class_name="row",
                        custom_attrs={"data-filtered": "org"},
                    ),
                ),
                rx.menu.separator(),
                rx.menu.item(strings.CREATE_ORG, on_select=rx.redirect(routes.NEW_ORG)),
                width="264px",
            ),
            modal=False,  # the page behind stays in the tree that readers hear
        ),
        class_name="orgs",
    )


def _person(props: FrameProps, current: str) -> rx.Component:
    here = {"aria-current": "page"} if current == "operator" else {}
    return rx.el.div(
        rx.cond(
            props.is_operator,
            rx.link(
                icon("shield"),
                rx.el.span("Operator", class_name="text"),
                href=routes.OPERATOR_ORGS,
                class_name="item",
                unstyled=True,
                title="Operator",
                custom_attrs=here,
            ),
        ),
        rx.menu.root(
            rx.menu.trigger(
                rx.el.button(
                    icon("circle-user-round"),
                    rx.el.span(props.email, class_name="text cut"),
                    class_name="item",
                    type="button",
                    custom_attrs={"aria-label": "You"},
                )
            ),
            rx.menu.content(
                rx.menu.item("Account", on_select=rx.redirect(routes.ACCOUNT)),
                rx.menu.item("Light or dark", on_select=rx.toggle_color_mode),
                rx.menu.item(f"Times are in {props.zone}", disabled=True),
                rx.menu.item("Keyboard shortcuts", custom_attrs={"data-do": "keys"}),
                rx.menu.item(strings.KEYS_SWITCH, custom_attrs={"data-do": "keys-toggle"}),
                rx.menu.separator(),
                rx.menu.item("Sign out", custom_attrs={"data-do": "sign-out"}),
                width="240px",
            ),
            modal=False,  # the page behind stays in the tree that readers hear
        ),
        class_name="foot",
    )


def _banners(props: FrameProps) -> rx.Component:
    return rx.fragment(
        rx.cond(
            props.as_operator,
            rx.el.div(
                icon("shield"),
                rx.el.span(
                    strings.AS_OPERATOR.format(org=props.org_name),
                    rx.link(strings.LEAVE, href=routes.OPERATOR_ORGS),
                ),
                class_name="banner",
                role="status",
            ),
        ),
        rx.cond(
            props.suspended,
            rx.el.div(
                icon("circle-slash"),
                rx.el.span(strings.SUSPENDED.format(org=props.org_name)),
                rx.cond(props.contact != "", copy_button(props.contact, "Copy contact")),
                class_name="banner red",
                role="alert",
            ),
        ),
    )
