"""A scripted OpenAI-compatible endpoint on a local port, for tests of everything that asks a model.

Decides nothing: a script maps each request to an answer. It counts what it was asked and how many
requests ran at once.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: a text with its usage, or an HTTP error with headers."""

    text: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    status: int = 200
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the answer as the wire format has it."""
        if self.status != 200:
            return json.dumps({"error": {"message": self.code, "code": self.code}}).encode()
        message = {"role": "assistant", "content": self.text, "tool_calls": self.tool_calls or None}
        usage = {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        }
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        found = {"id": "scripted", "object": "chat.completion", "created": 0, "model": "scripted"}
        return json.dumps({**found, "choices": [choice], "usage": usage}).encode()


Script = Callable[[Mapping[str, Any]], Said]


class Endpoint(ThreadingHTTPServer):
    """The server; `requests` holds every request body in order of arrival."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.script = script
        self.requests: list[Mapping[str, Any]] = []
        self.keys: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Base URL for `SWARM_RAY_MODEL_URL`."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Asked(BaseHTTPRequestHandler):
    server: Endpoint  # type: ignore[mutable-override]  # nobody else makes one

    def do_POST(self) -> None:  # the name that http.server calls
        """Answer one chat completion."""
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        endpoint = self.server
        with endpoint.lock:
            endpoint.requests.append(request)
            endpoint.keys.add(self.headers.get("authorization", ""))
            endpoint.at_once += 1
            endpoint.most_at_once = max(endpoint.most_at_once, endpoint.at_once)
        said = endpoint.script(request)
        with endpoint.lock:
            endpoint.at_once -= 1
        body = said.body()
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def endpoint(script: Script) -> Iterator[Endpoint]:
    """Serve while the block runs."""
    server = Endpoint(script)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
