"""Alembic: `public` and `tenant` are two branches, each with its own version table."""
