"""What a hostile worker would try first; the probe runs it as a skill inside a real sandbox.

Decides nothing: it tries and tells. Each attempt says how it was refused, or that it succeeded. It
is harmless where it succeeds: it connects to, reads and writes only what the probe has laid out.
"""

import os
import socket
from collections.abc import Callable
from typing import Any

REFUSED = "refused: "


def _outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return f"{REFUSED}{error}"
    return "succeeded"


def _connect(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.connect(("127.0.0.1", port))


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def _write(path: str) -> None:
    with open(path, "wb") as file:
        file.write(b"x")


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def attempt(inputs: dict[str, Any], ctx: Any) -> dict[str, str]:
    """Try to get out, and to do the ordinary thing beside it.

    Args:
        inputs: `port` of a listener, `secret` and `outside` paths, `host` process id.
        ctx: the skill's context.
    """
    del ctx
    return {
        "own files": _outcome(lambda: _write("own")),
        "network": _outcome(lambda: _connect(inputs["port"])),
        "other files": _outcome(lambda: _read(inputs["secret"])),
        "writing outside": _outcome(lambda: _write(inputs["outside"])),
        "signals to the host": _outcome(lambda: os.kill(inputs["host"], 0)),
        "signals to the zygote": _outcome(lambda: os.kill(os.getppid(), 0)),
        "processes": _outcome(_fork),
    }
