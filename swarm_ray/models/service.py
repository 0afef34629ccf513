"""Model calls on behalf of workers: one OpenAI-compatible endpoint, no retries of its own.

Decides what a call may cost before it leaves, and which failure class an answer of the endpoint
is. The key stays here; a worker sees texts and usage only.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarm_ray.config import Settings
from swarm_ray.errors import UsageError, WorkerError
from swarm_ray.models.embedded import EmbeddedServer, weights
from swarm_ray.models.embedding import Classifier
from swarm_ray.models.naming import address, model_name, weights_digest
from swarm_ray.models.slice import Slice

Service = Callable[[Any, Slice], Any]
EMBEDDED = "embedded"
DEFAULT_MAX_TOKENS = 512
MESSAGE_OVERHEAD_TOKENS = 8
UNSPENT = frozenset(
    {"model.bad_request", "model.overloaded", "model.quota", "model.rate_limited", "model.refused"}
)
"""The endpoint answered with an error: it bills nothing for that."""
CALL_TIMEOUT_S = 120.0
PASSED_ON = ("temperature", "seed", "stop", "top_p", "response_format", "tools", "tool_choice")
_LOCK = threading.Lock()


def model_services(settings: Settings) -> Mapping[str, Service]:
    """Return what workers may ask a host for; `model` only with a model endpoint."""
    services: dict[str, Service] = {"embed-classify": Classifier().classify}
    if settings.model_url:
        services["model"] = Endpoint(settings).complete
    return services


class Endpoint:
    """One endpoint and its prices; the client is made at the first call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = None
        self._server: EmbeddedServer | None = None

    def complete(self, request: Any, slice_: Slice) -> dict[str, Any]:
        """Ask for one chat completion within the slice.

        Args:
            request: `messages`, `max_tokens`, and options that are passed on.
            slice_: what the attempt may still spend.

        Returns:
            `text`, `parsed` (the text as JSON, None if it is none), `usage` in tokens.

        Raises:
            UsageError: `model.bad_request`, `model.bad_url`, `model.too_many`.
            WorkerError: `budget.slice`; `model.*` with the failure class in `status`.
        """
        messages, limit = _checked(request)
        model = request.get("model") or self._settings.model_name
        named = model_name(model, self._where())
        sent = [{name: request[name]} for name in PASSED_ON if name in request]
        bound = upper_bound_tokens([*messages, *sent])
        reserved = (bound + limit, self._price(bound, limit))
        slice_.reserve(*reserved, named)
        used = reserved  # what an answer that never came has spent, nobody knows
        try:
            answer = self._ask(model, messages, limit, request)
            usage = answer.usage
            tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (bound, limit)
            used = (sum(tokens), self._price(*tokens))
        except WorkerError as error:
            if error.code in UNSPENT:
                used = (0, 0)
            raise
        finally:
            slice_.settle(reserved, used)
        text = answer.choices[0].message.content or ""
        return {
            "text": text,
            "parsed": _parsed(text),
            "usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]},
            "finish_reason": answer.choices[0].finish_reason,
        }

    def _price(self, input_tokens: int, output_tokens: int) -> int:
        money = (
            input_tokens * self._settings.model_price_input
            + output_tokens * self._settings.model_price_output
        )
        return -(-money // 1_000_000)

    def _where(self) -> str:
        """Return what names the model's place: its weights where they are on this host."""
        if self._settings.model_url != EMBEDDED:
            return address(self._settings.model_url)
        with _LOCK:
            return weights_digest(weights())

    def _ask(
        self, model: str, messages: Sequence[Any], limit: int, request: Mapping[str, Any]
    ) -> Any:
        import openai

        with _LOCK:
            if self._client is None:
                url = self._settings.model_url
                if url == EMBEDDED:
                    self._server = EmbeddedServer()
                    url = self._server.url
                self._client = openai.OpenAI(
                    base_url=url,
                    api_key=self._settings.model_key or "none",
                    max_retries=0,
                    timeout=CALL_TIMEOUT_S,
                )
        options = {name: request[name] for name in PASSED_ON if name in request}
        try:
            return self._client.chat.completions.create(
                model=model,
                messages=list(messages),
                max_tokens=limit,
                **options,
            )
        except openai.APIStatusError as error:
            raise _by_status(error.status_code, error.message, error.response.headers) from error
        except openai.APIConnectionError as error:
            raise WorkerError(
                "model.unreachable", f"the model did not answer: {error}", status="transient"
            ) from error


def upper_bound_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return more tokens than the messages can have: one per byte, and some per message."""
    return sum(
        len(json.dumps(message, ensure_ascii=False).encode()) + MESSAGE_OVERHEAD_TOKENS
        for message in messages
    )


def _checked(request: Any) -> tuple[Sequence[Mapping[str, Any]], int]:
    messages = request.get("messages") if isinstance(request, Mapping) else None
    if not isinstance(messages, list) or not messages:
        raise UsageError(
            "model.bad_request",
            "a model request needs `messages`",
            hint="give a list with at least one message",
        )
    limit = request.get("max_tokens", DEFAULT_MAX_TOKENS)
    if not isinstance(limit, int) or limit < 1:
        raise UsageError(
            "model.bad_request",
            f"`max_tokens` cannot be {limit!r}",
            hint="give a whole number of at least 1",
        )
    return messages, limit


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _by_status(status: int, message: str, headers: Mapping[str, str]) -> WorkerError:
    if "insufficient_quota" in message:
        return WorkerError("model.quota", message, status="structural")
    if status == 429:
        return WorkerError(
            "model.rate_limited", message, status="rate_limited", retry_after_ms=_wait_ms(headers)
        )
    if status >= 500 or status == 408:
        return WorkerError("model.overloaded", message, status="transient")
    if status in (401, 403, 404):
        return WorkerError("model.refused", message, status="structural")
    return WorkerError("model.bad_request", message, status="input")


def _wait_ms(headers: Mapping[str, str]) -> int:
    for name, factor in (("retry-after-ms", 1), ("retry-after", 1000)):
        text = headers.get(name, "")
        try:
            return max(0, int(float(text) * factor))
        except ValueError:
            continue
    return 0
