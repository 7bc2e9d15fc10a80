"""`up`, `status` and `logs` on the stack of the examples."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import psutil

from etlfabric_dagster.embedded.state import ProcessState, State
from tests.stacks import Stack, wait_for


def test_up_starts_every_process_and_status_says_healthy(stack: Stack) -> None:
    found = stack.status()
    assert found["processes"]
    assert [p for p in found["processes"] if not p["healthy"]] == []
    assert all(psutil.pid_exists(p["pid"]) for p in found["processes"])
    assert {name: why for name, why in found["controls"].items() if why != "on"} == {}


def test_second_up_says_that_it_is_up_and_starts_nothing(stack: Stack) -> None:
    before = stack.state()
    done = stack.run("up", "--detach")
    assert done.returncode == 0
    assert "is up already" in " ".join(done.stderr.split())
    assert stack.state() == before


def test_up_whose_output_nobody_reads_ends_well(stack: Stack) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            stack.command("up", "--detach"),
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=closed,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b"")


def test_killed_process_is_restarted(stack: Stack) -> None:
    before = stack.state().processes["valkey"].pid
    assert before
    psutil.Process(before).send_signal(signal.SIGKILL)

    def valkey() -> ProcessState:
        return stack.state().processes["valkey"]

    wait_for(lambda: valkey().state is State.HEALTHY and valkey().pid != before)
    assert valkey().restarts > 0
    wait_for(lambda: stack.unhealthy() == [])  # each says anew that it is alive


def test_logs_prints_what_a_process_wrote_and_names_the_others(stack: Stack) -> None:
    assert "ready to accept connections" in stack.run("logs", "postgres").stdout
    refused = stack.run("logs", "nobody")
    assert refused.returncode == 1
    assert "postgres" in refused.stderr


def test_no_secret_stands_on_a_command_line_or_in_a_log(stack: Stack) -> None:
    facts = json.loads(stack.home.install_file.read_text())
    secrets = [v for k, v in facts.items() if k.endswith(("_password", "_keys"))]
    seen = [" ".join(p.cmdline()) for p in stack.alive()]
    seen += [path.read_text(errors="replace") for path in stack.home.logs.iterdir()]
    assert secrets
    assert [text for text in seen if any(secret in text for secret in secrets)] == []
