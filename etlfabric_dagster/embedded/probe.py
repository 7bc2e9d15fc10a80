"""Is one process of the stack working? `python -m etlfabric_dagster.embedded.probe NAME`.

For containers: the same check that the supervisor and `status` use, as an exit status.
"""

from __future__ import annotations

import sys

from etlfabric_dagster.embedded.processes import own_processes


def main(name: str) -> int:
    """0 when it works; 1, and why, when it does not."""
    found = {one.name: one for one in own_processes()}.get(name)
    if found is None or found.check is None:
        sys.stderr.write(f"no process {name!r} to ask\n")
        return 2
    try:
        sys.stdout.write(found.check() + "\n")
    except Exception as exc:
        sys.stderr.write(f"{type(exc).__name__}: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
