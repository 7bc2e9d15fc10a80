"""The rehearsed login reaches the point where libpq proves a password."""

from __future__ import annotations

import threading

import psycopg

from etlfabric_dagster.sandbox import rehearsal


def test_rehearsal_goes_as_far_as_the_proof_and_leaves_no_thread(monkeypatch):
    said: list[str] = []
    connect = psycopg.connect

    def listening(**arguments):
        try:
            return connect(**arguments)
        except psycopg.OperationalError as exc:
            said.append(str(exc))
            raise

    monkeypatch.setattr(rehearsal.psycopg, "connect", listening)
    before = threading.active_count()
    rehearsal.rehearse_login()
    assert threading.active_count() == before
    assert "server closed the connection unexpectedly" in said[0]
