"""PyMySQL cursor that sends no statement beyond the server's `max_allowed_packet`.

The server answers a larger one by closing the connection, mostly before its error can be read. That looks like an
outage of the server, during which an event is retried for ever, and holds up those behind it.
"""

from typing import Any, Final

from pymysql.cursors import Cursor
from pymysql.err import DataError

_PACKET_TOO_LARGE: Final = 1153
"""The server's code for it, ER_NET_PACKET_TOO_LARGE."""


def limit_statements(connection: Any) -> None:
    """Let the cursors of a new connection respect the limit of its server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        (packet,) = cursor.fetchone() or (0,)

    class LimitedCursor(Cursor):  # type: ignore[misc]  # PyMySQL is untyped
        # `executemany` divides rows into statements of this size.
        max_stmt_length = min(Cursor.max_stmt_length, packet - 1)  # one byte is the command

        def execute(self, query: Any, args: Any = None) -> int:
            """See `Cursor.execute`.

            Raises:
                DataError: the statement is too large for the server.
            """
            statement = query if args is None else self.mogrify(query, args)
            size = len(statement.encode()) if isinstance(statement, str) else len(statement)
            if size >= packet:
                raise DataError(_PACKET_TOO_LARGE, "The statement exceeds max_allowed_packet.")
            rows: int = super().execute(statement)
            return rows

    connection.cursorclass = LimitedCursor
