"""Reflex's configuration, from the install's settings: nothing is read from REFLEX_* by hand."""

from __future__ import annotations

import reflex as rx

from etlfabric_dagster.config import settings
from etlfabric_ui import theme

config = rx.Config(
    app_name="etlfabric_ui",
    app_module_import="etlfabric_ui.app",
    backend_host=settings.bind_host,
    backend_port=settings.api_port,
    frontend_port=settings.ui_port,
    # Written into one chunk of the build, which the static server rewrites per request.
    api_url="http://localhost:8000",
    cors_allowed_origins=settings.allowed_origins,
    redis_url=settings.redis_url.get_secret_value() if settings.redis_url else None,
    telemetry_enabled=False,
    show_built_with_reflex=False,
    default_color_mode="system",
    plugins=[rx.plugins.RadixThemesPlugin(theme=theme.radix())],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
