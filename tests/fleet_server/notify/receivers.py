"""Who receives notices: real servers on the loopback interface that do as they are told."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from fleet_server.alerts import Alert, AlertKind, Severity
from wire.messages import AlertNotice
from wire.states import AlertEvent, AlertState

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALERT = Alert(
    kind=AlertKind.DRIFT, key="watch/inputs", severity=Severity.WARNING, subject="model watch",
    message="two devices drift", devices=("a", "b"), since=50.0, changed="x moved", advice="look at one",
)  # fmt: skip
NOTICE = AlertNotice(
    id="3f9c-1", server="3f9c", alert=7, event=AlertEvent.OPENED, at_unix_s=1e9, kind=AlertKind.DRIFT,
    key="watch/inputs", state=AlertState.OPEN, severity=Severity.WARNING, subject="model watch",
    message="two devices drift", opened_at_unix_s=1e9, since_unix_s=9e8, count=1, devices=("a", "b"),
    device_count=2, changed="x moved", advice="look at one",
)  # fmt: skip


class Hook:
    """An HTTP server that keeps what it is sent and answers with ``answers``, then with 200."""

    def __init__(self, *answers: int) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers = list(answers)
        self.headers: dict[str, str] = {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(hook.answers.pop(0) if hook.answers else 200)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Drip:
    """A server that accepts everybody and sends one byte of ``text`` after the other, for ever."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._trickle, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _trickle(self, peer: socket.socket) -> None:
        sent = 0
        with peer:
            while not self._over.wait(0.01):
                try:
                    peer.sendall(self._text[sent % len(self._text) :][:1])
                except OSError:
                    return
                sent += 1
