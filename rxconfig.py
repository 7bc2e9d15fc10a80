"""Where `reflex run` looks; the configuration stands in the package."""

from etlfabric_ui.server.rxconfig import config

__all__ = ["config"]
