"""A TCP proxy that can be cut and can stall, for what happens when a network does."""

import socket
from contextlib import suppress
from threading import Event as Flag
from threading import Lock, Thread


class TcpProxy:
    """Listens on a free port of the loopback and passes bytes on to `target`."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._up = True
        self.attempts = 0  # to connect
        self._flowing = Flag()
        self._flowing.set()
        Thread(target=self._accept, daemon=True).start()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        with self._lock:
            return len(self._open) // 2

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        with self._lock:
            self._up = False
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """Let connections be made again."""
        with self._lock:
            self._up = True

    def stall(self) -> None:
        """Keep the connections, and pass nothing on."""
        self._flowing.clear()

    def close(self) -> None:
        self.cut()
        self._flowing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.attempts += 1
                if not self._up:
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._open |= {client, server}
            Thread(target=self._pass_on, args=(client, server), daemon=True).start()
            Thread(target=self._pass_on, args=(server, client), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()
