"""The witness over HTTP: `POST /add-checkpoint`, as logs and other witnesses of its kind speak."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from swarm_ray.attestation.checkpoint import read_checkpoint
from swarm_ray.attestation.cosigning import MAX_REQUEST_BYTES, Answer, answer, parse_request
from swarm_ray.attestation.note import NoteKey, Signer
from swarm_ray.errors import IntegrityError
from swarm_ray.witness.latest import Latest

if TYPE_CHECKING:
    from fastapi import FastAPI


class Witness:
    """Judges requests.

    Args:
        name: of the witness.
        signer: its key, used for nothing else.
        logs: keys of the logs that it follows.
        latest: what it last cosigned.
        now_s: Unix time in seconds.
    """

    def __init__(
        self,
        name: str,
        signer: Signer,
        logs: Sequence[NoteKey],
        latest: Latest,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._signer = signer
        self._logs = logs
        self._latest = latest
        self._now_s = now_s

    def add_checkpoint(self, body: bytes) -> Answer:
        """Return the answer to the body of a request.

        Raises:
            StorageError: `witness.not_stored`.
            IntegrityError: `witness.damaged`.
        """
        try:
            request = parse_request(body)
            origin = read_checkpoint(request.note).origin
        except IntegrityError as error:
            return Answer(400, error.message)
        return self._latest.judge(
            origin,
            lambda seen: answer(
                request, self._logs, seen, self._name, self._signer, int(self._now_s())
            ),
        )


def witness_app(witness: Witness) -> "FastAPI":
    """Return the application of a witness."""
    from fastapi import FastAPI, Request
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import Response

    app = FastAPI(title="swarm_ray witness", docs_url=None, redoc_url=None, openapi_url=None)

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_REQUEST_BYTES:
                return Response("the request is too long", 413)
        found = await run_in_threadpool(witness.add_checkpoint, body)
        # as a header: given as a media type, a character set would be added to it
        return Response(found.body, found.status, {"Content-Type": found.media})

    app.add_api_route("/add-checkpoint", add_checkpoint, methods=["POST"], response_model=None)
    return app
