"""A scripted OpenAI-compatible endpoint in a thread, which counts the tokens that it really spent.

Every prompt costs a token per byte and every answer up to the asked maximum, by a fixed seed. A
share of the answers is lost on the way back: spent, but never seen by the caller.
"""

import json
import random
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

DELAY_S = 0.4


class Endpoint:
    """Serves until `close`; `spent` and `calls` are the truth."""

    def __init__(self, lost_per_mille: int, seed: int = 7) -> None:
        self.spent = self.calls = self.most_at_once = 0
        self._now = 0
        self._lost = lost_per_mille
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._pause = threading.Event()
        endpoint = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                endpoint.answer(self, json.loads(self.rfile.read(length)))

            @override
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, to: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        """Spend tokens, then answer or lose the answer."""
        prompt = sum(len(str(one["content"]).encode()) for one in request["messages"])
        with self._lock:
            most = int(request["max_tokens"])
            completion = self._random.choice([most, self._random.randint(1, most)])
            lost = self._random.randrange(1000) < self._lost
            self.spent += prompt + completion
            self.calls += 1
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        self._pause.wait(DELAY_S)
        with self._lock:
            self._now -= 1
        if lost:
            to.close_connection = True
            to.connection.shutdown(socket.SHUT_RDWR)
            return
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "yes"},
        }
        document = {
            "id": "answer",
            "object": "chat.completion",
            "created": 0,
            "model": request["model"],
            "choices": [choice],
            "usage": usage,
        }
        body = json.dumps(document).encode()
        to.send_response(200)
        to.send_header("content-type", "application/json")
        to.send_header("content-length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
