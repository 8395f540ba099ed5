"""psycopg connection with a time limit on waiting for an answer of the server, which libpq does not have.

Keepalives and `tcp_user_timeout` detect a host that is gone. A stopped server process, or a proxy without a server
behind it, still acknowledges every packet: only a clock on the client's side detects that.
"""

from time import monotonic
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready


class _Connection(psycopg.Connection[Any]):
    silence = float("inf")

    def wait(self, gen: PQGen[RV], *args: Any, **options: Any) -> RV:
        """See `psycopg.Connection.wait`; close the connection after `silence` seconds without an answer.

        Raises:
            OperationalError: the time limit was exceeded.
        """
        return super().wait(self._limited(gen), *args, **options)

    def _limited(self, gen: PQGen[RV]) -> PQGen[RV]:
        """Run the exchange with the server. psycopg resumes it several times a second, also if nothing has arrived."""
        end = monotonic() + self.silence
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == Ready.NONE and monotonic() > end:
                    self.close()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: RV = done.value
            return result


def connect(silence: float, *args: Any, **options: Any) -> psycopg.Connection[Any]:
    """Connect as `psycopg.connect` does, and limit each later wait for the server to `silence` seconds."""
    connection = _Connection.connect(*args, **options)
    connection.silence = silence
    return connection
