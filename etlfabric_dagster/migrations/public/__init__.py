"""Revisions of public."""
