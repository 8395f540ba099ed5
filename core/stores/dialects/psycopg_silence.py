"""psycopg's connection with a limit on waiting for an answer of the server, which libpq does not have.

Keepalives and `tcp_user_timeout` notice a host that is gone. A server process that is stopped, or a proxy without a
server behind it, still acknowledges every packet: only a clock on this side notices that.
"""

from time import monotonic
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready


class _Connection(psycopg.Connection[Any]):
    silence = float("inf")

    def wait(self, gen: PQGen[RV], *args: Any, **options: Any) -> RV:
        """See `psycopg.Connection.wait`; what takes longer than `silence` closes the connection.

        Raises:
            OperationalError: it took longer.
        """
        return super().wait(self._limited(gen), *args, **options)

    def _limited(self, gen: PQGen[RV]) -> PQGen[RV]:
        """The same exchange with the server. Several times a second the one who waits says that nothing has come."""
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
    """Connect as `psycopg.connect` does; from then on the server may be silent for `silence` seconds at most."""
    connection = _Connection.connect(*args, **options)
    connection.silence = silence
    return connection
