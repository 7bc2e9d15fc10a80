"""What a user can rerun: `uv run python -m benchmarks.NAME [--json]`."""
