"""How long creating an org takes, with `--orgs N` (100) in the install."""

from __future__ import annotations

import argparse
import time

from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish, percentile
from etlfabric_dagster.aio import run
from etlfabric_dagster.services import orgs
from etlfabric_dagster.services.scope import OPERATOR

TARGET_S = 0.25


def main() -> None:
    """Create the orgs one after the other; judge the last tenth of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orgs", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    count = parser.parse_args().orgs
    seconds: list[float] = []
    with throw_away_install():
        for number in range(count):
            began = time.perf_counter()
            run(orgs.create(OPERATOR, f"org_{number}", f"Org {number}"))
            seconds.append(time.perf_counter() - began)
    last = seconds[-max(10, count // 10) :]
    finish(
        "provision",
        {
            "create_org_p50_s": Figure(percentile(last, 0.5), TARGET_S),
            "create_org_p99_s": Figure(percentile(last, 0.99), TARGET_S),
        },
    )


if __name__ == "__main__":
    main()
