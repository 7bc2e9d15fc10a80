"""`python -m etlfabric_dagster.cli`: the command line under a given interpreter."""

from __future__ import annotations

from etlfabric_dagster.cli import main

if __name__ == "__main__":
    main()
