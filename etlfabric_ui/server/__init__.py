"""The panel's processes and its build: `python -m etlfabric_ui.server backend | static`."""
