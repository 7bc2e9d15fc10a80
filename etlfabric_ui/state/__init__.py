"""The bridge to the services: the only part of the panel that imports them (with the servers)."""
