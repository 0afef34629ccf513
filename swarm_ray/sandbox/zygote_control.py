"""The host's end of the conversation with one zygote.

Decides how a zygote is asked for children and what its answers mean. Nothing here blocks.
"""

import socket
from abc import ABC, abstractmethod
from array import array
from dataclasses import dataclass, field
from typing import Any

from swarm_ray.ports.sandbox import Isolation
from swarm_ray.sandbox import wire
from swarm_ray.sandbox.settings import Settings


@dataclass(slots=True)
class _Told:
    """What the zygote has said so far."""

    report: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    gone: bool = False


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Make a socket pair that keeps messages apart: the host's end and the zygote's."""
    kind = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
    return socket.socketpair(socket.AF_UNIX, kind)


def isolation_of(report: dict[str, Any]) -> Isolation:
    """Read what a zygote says about its isolation."""
    return Isolation(
        label=str(report["label"]),
        driver=str(report["driver"]),
        namespaces=tuple(report["namespaces"]),
        landlock_abi=int(report["landlock_abi"]),
        seccomp=bool(report["seccomp"]),
        limits=tuple(report["limits"]),
        notes=tuple(report["notes"]),
    )


class ZygoteControl(ABC):
    """One end of a control socket.

    Args:
        control: the host's end.
        settings: the orders that the zygote is sent first.
    """

    def __init__(self, control: socket.socket, settings: Settings) -> None:
        self._control = control
        self._told = _Told()
        control.setblocking(False)
        self._send(wire.pack_json(wire.CONFIG, settings.to_dict()), [])

    @property
    def report(self) -> dict[str, Any]:
        """What the zygote says about its start; empty until it is ready."""
        return self._told.report

    @property
    def failure(self) -> str:
        """Why it is gone; empty while it is there."""
        return self._told.failure

    @property
    def gone(self) -> bool:
        """Whether it has hung up."""
        return self._told.gone

    def fileno(self) -> int:
        """Descriptor of the control socket."""
        return self._control.fileno()

    def fork(self, tokens: list[int], fds: list[int], *, special: bool = False) -> bool:
        """Ask for children on the given sockets; False when the zygote is too far behind.

        Args:
            tokens: one per child.
            fds: the children's ends; the caller closes them.
            special: the children wait for a policy frame.
        """
        kind = wire.FORK_SPECIAL if special else wire.FORK
        return self._send(wire.pack_tokens(kind, tokens), fds)

    def branch(self, fds: list[int]) -> bool:
        """Ask a template for a sandbox; False when it is too far behind.

        Args:
            fds: the control socket's other end, and the cgroup's list of processes if there is
                one; the caller closes them.
        """
        return self._send(wire.BRANCH, fds)

    def kill(self, token: int) -> bool:
        """Ask to kill a child; False when the zygote is too far behind."""
        return self._send(wire.pack_tokens(wire.KILL, [token]), [])

    def _send(self, message: bytes, fds: list[int]) -> bool:
        if self._told.gone:
            return True  # its children are gone as well; `exits` says so
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
        try:
            self._control.sendmsg([message], rights)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True  # `drain` finds out
        return True

    def drain(self) -> list[wire.ExitRow]:
        """Read what the zygote has said and return the exits among it."""
        rows: list[wire.ExitRow] = []
        while not self._told.gone:
            try:
                message = self._receive()
            except BlockingIOError:
                break
            if not message:
                self._told.gone = True
                self._told.failure = self._told.failure or self._last_words()
            elif message[:1] == wire.EXITS:
                rows += wire.unpack_exits(message)
            elif message[:1] == wire.READY:
                self._told.report = wire.unpack_json(message)
            else:
                told = wire.unpack_json(message)
                self._told.failure = f"[{told['code']}] {told['message']}"
        return rows

    def _receive(self) -> bytes:
        """Read one message; empty when the zygote has hung up.

        A zygote that ends with orders unread resets the connection, and the reset is reported
        before its last words, which say why: hence the second look.
        """
        try:
            return self._control.recv(wire.LARGEST_BYTES)
        except ConnectionResetError:
            try:
                return self._control.recv(wire.LARGEST_BYTES)
            except ConnectionResetError:
                return b""

    def _last_words(self) -> str:
        """Say why a zygote that gave no reason is gone."""
        return "[sandbox.zygote_gone] the zygote ended"

    def hang_up(self) -> None:
        """Tell the zygote to end with all its children; `finish` follows."""
        if not self._told.gone:
            self._told.gone = True
            self._told.failure = self._told.failure or "[sandbox.closed] the zygote was closed"

    @abstractmethod
    def finish(self, patience_s: float) -> bool:
        """Wait for the end and remove what is left; kill when `patience_s` is over.

        Args:
            patience_s: 0 only looks, and returns False while something still ends.
        """
