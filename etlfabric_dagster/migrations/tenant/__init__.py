"""Revisions of tenant."""
