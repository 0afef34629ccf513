"""Sandboxes of one attempt each, for attempts that no child of a shared zygote can serve.

Decides where such a sandbox comes from: branched off a warm template where that holds on this
machine, otherwise a zygote started for it alone. The template is started with the first of them.
"""

import selectors
import socket
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from swarm_ray.errors import Busy
from swarm_ray.ports.sandbox import AttemptPolicy, ZygotePolicy
from swarm_ray.sandbox.zygote_control import ZygoteControl
from swarm_ray.sandbox.zygote_process import BranchedZygote, Launch, ZygoteProcess, discard


class Launcher(Protocol):
    """What a driver does for its zygotes."""

    def launch(self, bundle: Path, policy: ZygotePolicy, attempt: AttemptPolicy | None) -> Launch:
        """Prepare a zygote; for one attempt alone when `attempt` is given.

        Raises:
            UsageError: this policy cannot be granted here.
        """
        ...

    def template(self, bundle: Path, policy: ZygotePolicy) -> Launch:
        """Prepare a template for attempts that `branches` accepts."""
        ...

    def alone(self, attempt: AttemptPolicy) -> bool:
        """Whether this attempt needs a sandbox of its own."""
        ...

    def branches(self, attempt: AttemptPolicy) -> bool:
        """Whether a template's branch can serve this attempt."""
        ...


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A child that has been handed out and waits for its sandbox."""

    token: int
    launch: Launch
    sock: socket.socket


class OwnSandboxes:
    """The sandboxes of one attempt that belong to one zygote front.

    Args:
        launcher: the driver.
        bundle: folder of the unpacked bundle.
        policy: limits of every child.
        selector: where every control socket is registered, with its control as data.
    """

    def __init__(
        self,
        launcher: Launcher,
        bundle: Path,
        policy: ZygotePolicy,
        selector: selectors.BaseSelector,
    ) -> None:
        self._launcher = launcher
        self._bundle = bundle
        self._policy = policy
        self._selector = selector
        self._template: ZygoteProcess | None = None
        self._refusal = ""
        self._waiting: deque[_Wanted] = deque()
        self._running: dict[int, ZygoteControl] = {}
        self._ending: list[ZygoteControl] = []

    @property
    def refusal(self) -> str:
        """Why attempts get a zygote each instead of a branch; empty unless that is so."""
        return self._refusal

    def open(self, token: int, attempt: AttemptPolicy, sock: socket.socket) -> None:
        """Make a sandbox for one child; it comes into being as soon as the template is ready.

        Args:
            token: names the child.
            attempt: what it may do.
            sock: the child's end of its socket, closed here.

        Raises:
            UsageError: this policy cannot be granted here.
            WorkerError: no process can be started.
        """
        launch = self._launcher.launch(self._bundle, self._policy, attempt)
        wanted = _Wanted(token, launch, sock)
        if self._branching(attempt):
            self._waiting.append(wanted)
            self.advance()
        else:
            self._begin(wanted, ZygoteProcess(launch))

    def _branching(self, attempt: AttemptPolicy) -> bool:
        """Whether a template serves this attempt; starts it if there is none."""
        if self._refusal or not self._launcher.branches(attempt):
            return False
        if self._template is None:
            self._template = self._start_template()
        return True

    def _start_template(self) -> ZygoteProcess:
        template = ZygoteProcess(self._launcher.template(self._bundle, self._policy))
        self._selector.register(template, selectors.EVENT_READ, template)
        return template

    def _begin(self, wanted: _Wanted, control: ZygoteControl) -> None:
        control.fork([wanted.token], [wanted.sock.fileno()])
        wanted.sock.close()
        self._running[wanted.token] = control
        self._selector.register(control, selectors.EVENT_READ, control)

    def advance(self) -> None:
        """Give waiting children their sandboxes, as far as the template has got."""
        self._judge_template()
        while self._waiting:
            wanted = self._waiting[0]
            if self._refusal:
                self._begin(wanted, ZygoteProcess(wanted.launch))
            elif self._template is not None and self._template.report:
                try:
                    self._begin(wanted, BranchedZygote(wanted.launch, self._template))
                except Busy:
                    return
            else:
                return
            self._waiting.popleft()

    def _judge_template(self) -> None:
        """Do without a template that cannot branch or start; replace one that was lost later."""
        template = self._template
        if template is None or not (template.report or template.gone):
            return
        self._refusal = str(template.report.get("refusal", template.failure))
        if not (self._refusal or template.gone):
            return
        self._let_go(template)
        self._template = self._start_template() if self._waiting and not self._refusal else None

    def control_of(self, token: int) -> ZygoteControl | None:
        """Return the control of a child's sandbox; None for a child that waits or has none."""
        return self._running.get(token)

    def owns(self, token: int) -> bool:
        """Whether a child has, or will have, a sandbox of its own."""
        return token in self._running or any(one.token == token for one in self._waiting)

    def tokens_of(self, control: ZygoteControl) -> list[int]:
        """Return the children whose sandbox `control` holds: one, or none for a template."""
        return [token for token, each in self._running.items() if each is control]

    def end(self, token: int) -> None:
        """End a child's sandbox; everything in it goes with it."""
        self._let_go(self._running.pop(token))

    def _let_go(self, control: ZygoteControl) -> None:
        self._selector.unregister(control)
        control.hang_up()
        self._ending.append(control)

    def reap(self, patience_s: float) -> None:
        """Remove what ended sandboxes leave behind.

        Args:
            patience_s: how long to wait for each; 0 only looks.
        """
        self._ending = [each for each in self._ending if not each.finish(patience_s)]

    def close(self, patience_s: float) -> None:
        """End every sandbox and the template."""
        for wanted in self._waiting:
            wanted.sock.close()
            discard(wanted.launch, patience_s)
        self._waiting.clear()
        for token in list(self._running):
            self.end(token)
        if self._template is not None:
            self._let_go(self._template)
            self._template = None
        self.reap(patience_s)
