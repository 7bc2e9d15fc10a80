"""Passwords reach Postgres as verifiers that it accepts."""

from __future__ import annotations

import psycopg
import pytest

from etlfabric_dagster.security import scram


@pytest.mark.parametrize("iterations", [scram.ITERATIONS, scram.RANDOM_ITERATIONS])
@pytest.mark.parametrize("password", ["cKn8naR7oo1_jyFjxnqI8iQ55eolonao", "with 'quotes'", "x"])
def test_verifier_lets_the_password_in_and_no_other(cluster, password, iterations):
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS scram_probe")
        verifier = scram.verifier(password, iterations)
        conn.execute(f"CREATE ROLE scram_probe LOGIN PASSWORD '{verifier}'")
    target = {"host": "127.0.0.1", "port": cluster.port, "dbname": "postgres"}
    psycopg.connect(**target, user="scram_probe", password=password).close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**target, user="scram_probe", password=password + "x")


def test_same_password_never_gives_the_same_verifier():
    assert scram.verifier("x") != scram.verifier("x")
