"""What can be wrong with a database, in the words of UI.md section 5."""

from __future__ import annotations

from collections.abc import Sequence

from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.errors import ConnectorError

DIAL_TIMEOUT_S = 10


def unreachable(target: Target, *, answered: bool) -> ConnectorError:
    """Nothing speaks at the address: it refused (`answered`) or stayed silent."""
    through = {"remedy": "Allow this install's address there, or go through SSH."}
    if answered:
        why = f"{target.address} refused the connection. Nothing listens there, probably."
        through = {"remedy": "Check the port and that the server runs and accepts remote clients."}
    else:
        why = (
            f"{target.address} did not answer in {DIAL_TIMEOUT_S} s. "
            "A firewall probably drops the connection."
        )
    return ConnectorError(why, through["remedy"], code="unreachable")


def hung_up(target: Target, product: str, detail: str) -> ConnectorError:
    """The server ended the connection for a reason of its own, or does not speak the protocol."""
    return ConnectorError(
        f"{target.address} ended the connection: {detail}",
        f"Check that the host and port are {product}'s.",
        code="connect_failed",
    )


def wrong_login(target: Target, detail: str = "") -> ConnectorError:
    """The user or the password."""
    why = detail or "The password is wrong or the user does not exist."
    return ConnectorError(
        f"{target.host} refused the login of “{target.username}”. {why}",
        "Check both, then test again.",
        code="login_refused",
    )


def tls_refused(target: Target) -> ConnectorError:
    """The server speaks no TLS and the connection requires it."""
    return ConnectorError(
        f"{target.address} does not speak TLS, and this connection requires it.",
        "Turn TLS on at the server, or choose “prefer” if the network is private.",
        code="tls_refused",
    )


def tls_untrusted(target: Target, issuer: str = "") -> ConnectorError:
    """The chain ends at a CA that is not known here."""
    if issuer and not target.ca:
        why = f"is signed by “{issuer}”, which is not trusted here."
    elif issuer:
        why = f"is signed by “{issuer}”, not by the CA certificate you gave."
    else:
        why = "is not signed by a CA that is trusted here."
    return ConnectorError(
        f"The certificate of {target.host} {why}",
        "Paste that CA's certificate.",
        code="tls_untrusted",
    )


def tls_other_name(target: Target) -> ConnectorError:
    """The certificate is trusted, but for another name."""
    return ConnectorError(
        f"The certificate of {target.host} was issued for another name.",
        "Use the name that the certificate carries as the host.",
        code="tls_other_name",
    )


def tls_unsupported(title: str) -> ConnectorError:
    """A driver that cannot check what the connection asks to be checked."""
    return ConnectorError(
        f"The driver for {title} encrypts, but cannot check the certificate as asked.",
        "Choose “require” without a CA certificate, or go through SSH.",
        code="tls_unsupported",
    )


def bad_ca(target: Target) -> ConnectorError:
    """The text given as CA is no certificate."""
    return ConnectorError(
        f"The CA certificate given for {target.host} is not a PEM certificate.",
        "Paste the whole file, from BEGIN CERTIFICATE to END CERTIFICATE.",
        code="bad_ca",
    )


def no_database(target: Target) -> ConnectorError:
    """The server has no such database."""
    return ConnectorError(
        f"{target.host} has no database “{target.database}”, "
        f"or “{target.username}” may not use it.",
        "Correct the database's name.",
        code="database_unknown",
    )


def no_schema(target: Target, known: Sequence[str]) -> ConnectorError:
    """The database has no such schema."""
    listed = f"It has: {', '.join(known[:10])}." if known else ""
    return ConnectorError(
        f"{target.database} has no schema “{target.schema}” that “{target.username}” may use. "
        f"{listed}".strip(),
        "Correct the schema's name.",
        code="schema_unknown",
    )


def unreadable(target: Target, tables: Sequence[str], total: int) -> ConnectorError:
    """SELECT is missing on some or all tables."""
    named = ", ".join(f"{target.schema}.{table}" for table in tables[:10])
    more = f" and {len(tables) - 10} more" if len(tables) > 10 else ""
    return ConnectorError(
        f"“{target.username}” may not read {len(tables)} of {total} tables: {named}{more}.",
        "Run the GRANT as the database's owner, or leave them out.",
        code="permission",
        tables=list(tables),
        grant=_grant(target, tables),
    )


def _grant(target: Target, tables: Sequence[str]) -> str:
    """What the database's owner runs so that these tables may be read."""
    first, last = {"mssql": "[]", "mysql": "``", "mariadb": "``"}.get(target.dialect, '""')

    def quoted(name: str) -> str:
        return f"{first}{name.replace(last, last * 2)}{last}"

    reader = quoted(target.username)
    if target.dialect in ("mysql", "mariadb"):
        reader = "'{}'@'%'".format(target.username.replace("'", "''"))
    return "\n".join(
        f"GRANT SELECT ON {quoted(target.schema)}.{quoted(table)} TO {reader};" for table in tables
    )


def vanished(target: Target, stream: str) -> ConnectorError:
    """The table that a stream was made from is gone."""
    return ConnectorError(
        f"{stream} is no longer in {target.database}: it was dropped or renamed, or "
        f"“{target.username}” may not see it any more.",
        "Restore it, or deselect the stream.",
        code="stream_vanished",
        stream=stream,
    )


def no_column(stream: str, column: str, role: str) -> ConnectorError:
    """A cursor or key names a column that is not there."""
    return ConnectorError(
        f"{stream} has no column “{column}”, which is its {role}.",
        f"Choose another {role}.",
        code="column_unknown",
        stream=stream,
        column=column,
    )


def too_many_columns(stream: str, columns: int, limit: int) -> ConnectorError:
    """More than a PostgreSQL table can have."""
    return ConnectorError(
        f"{stream} has {columns:,} columns; a table in Postgres can take {limit:,} of them. "
        "The stream was not loaded.",
        "Drop the columns that are not needed.",
        code="too_many_columns",
        stream=stream,
    )


def cursor_has_nulls(stream: str, column: str, rows: int) -> ConnectorError:
    """Error 9: such rows would never be seen."""
    subject = "1 row" if rows == 1 else f"{rows:,} rows"
    verb = "has" if rows == 1 else "have"
    return ConnectorError(
        f"{subject} of {stream} {verb} no {column}, so Incremental would miss them. "
        f"Nothing of {stream} was loaded.",
        "Choose a cursor that is always set, or load in Full.",
        code="cursor_nulls",
        stream=stream,
        column=column,
        rows=rows,
    )


def cursor_too_coarse(stream: str, column: str, limit: int) -> ConnectorError:
    """Without a key, rows at the last cursor value are told apart by content, up to a limit."""
    return ConnectorError(
        f"More than {limit:,} rows of {stream} share the last {column}, and without a key they "
        "cannot be told from new ones.",
        "Give the stream a primary key, or choose a finer cursor.",
        code="cursor_coarse",
        stream=stream,
        column=column,
    )


def bad_cursor_value(stream: str, column: str, detail: str) -> ConnectorError:
    """The initial value, the lag or the order does not fit the cursor's type."""
    return ConnectorError(
        f"{stream} cannot be read by {column}: {detail}.",
        "Choose a time or number column as the cursor, and an initial value of its type.",
        code="cursor_type",
        stream=stream,
        column=column,
    )


def read_failed(target: Target, stream: str, detail: str) -> ConnectorError:
    """The server ended a read for a reason of its own."""
    return ConnectorError(
        f"Reading {stream} from {target.host} failed: {detail}. Nothing of it was loaded.",
        "Try again; if it repeats, show this message to the database's owner.",
        code="read_failed",
        stream=stream,
    )


def driver_missing(dialect: str, extra: str, title: str) -> ConnectorError:
    """The driver is an extra of the package that is not installed."""
    return ConnectorError(
        f"{title} needs a driver that this install does not have.",
        f"Ask an operator to install it: uv pip install 'etlfabric[{extra}]'.",
        code="driver_missing",
        dialect=dialect,
    )
