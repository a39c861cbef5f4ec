"""A server that answers every request with 200 and reads no more of it than it must.

``python -m benchmarks.null_server`` prints a DSN. What a client costs against it, the client costs
itself.
"""

from __future__ import annotations

import socket
import threading

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def _serve(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := client.recv(65536):
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        left = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]) - len(body)
        while left > 0:
            left -= len(client.recv(65536))
        client.sendall(_ANSWER)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(f"http://public@127.0.0.1:{server.getsockname()[1]}/1", flush=True)
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
