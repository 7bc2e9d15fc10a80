"""Loaded by `load_from_defs_folder`."""
