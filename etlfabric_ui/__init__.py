"""The control panel: a Reflex application on the services. docs/panel.md says how it is built."""
