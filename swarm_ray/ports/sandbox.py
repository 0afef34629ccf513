"""What a host asks of a sandbox: start a zygote for a bundle, take a clean child, learn how it ended.

Decides the words and values that cross between a host and any sandbox driver. It never starts a
process and knows nothing of how one is confined.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ZygotePolicy:
    """Limits that hold for every child of one zygote.

    Args:
        reserve: clean children kept forked ahead of need.
        memory_bytes: address space of one child.
        cpu_s: processor seconds of one child; the kernel kills it beyond that.
        file_size_bytes: largest file a child may write.
        tmp_bytes: all temporary files of one zygote's children together (held by the kernel where
            the driver has its own mount namespace).
        open_files: descriptors of the zygote, which holds two per living child, and of each child.
        frame_limit_bytes: largest frame in either direction.
        library_paths: folders where `preload` modules are found besides the standard library;
            empty means this interpreter's own.
        cpu: processor to which the zygote and its children are bound; None leaves it to the
            kernel. A host with one zygote per processor forks about a sixth faster so, because a
            child copies pages that its own processor has just written.
    """

    reserve: int = 4
    memory_bytes: int = 1024 * MIB
    cpu_s: int = 60
    file_size_bytes: int = 64 * MIB
    tmp_bytes: int = 256 * MIB
    open_files: int = 1024
    frame_limit_bytes: int = 8 * MIB
    library_paths: tuple[Path, ...] = ()
    cpu: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """What one attempt may do beyond, or short of, the zygote's policy.

    Args:
        reads: absolute files and folders the child may read, resolved and judged by the host.
        processes: how many processes the child may have at once besides itself; 0 forbids fork
            and exec.
        memory_bytes: address space of the child; None means the zygote's.
        cpu_s: processor seconds of the child; None means the zygote's.
    """

    reads: tuple[Path, ...] = ()
    processes: int = 0
    memory_bytes: int | None = None
    cpu_s: int | None = None

    @property
    def is_default(self) -> bool:
        """Whether a child that was forked ahead of need will do."""
        return self == _DEFAULT


_DEFAULT = AttemptPolicy()


@dataclass(frozen=True, slots=True)
class Exit:
    """How one child ended, and what it used.

    Args:
        token: the child, as `Child.token`.
        code: exit code; None when a signal ended it or its zygote was lost.
        signal: signal number; None when it exited.
        cpu_us: user and system processor time of the child and the children it waited for.
        max_rss_bytes: peak resident memory, pages shared with the zygote included.
        lost: the zygote ended before it could tell; the figures are then 0.
        reason: why it was lost; empty otherwise.
    """

    token: int
    code: int | None
    signal: int | None
    cpu_us: int
    max_rss_bytes: int
    lost: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Isolation:
    """What really holds around the children of one zygote, as the zygote found it.

    Args:
        label: the honest class, part of every attestation.
        driver: name of the driver.
        namespaces: kinds of Linux namespaces the children live in, apart from the host's.
        landlock_abi: version in force; 0 when Landlock is not used.
        seccomp: whether a system-call filter is in force.
        limits: how memory, processor and process counts are held, e.g. `rlimit:as`.
        notes: what is weaker than it could be, in plain words.
    """

    label: str
    driver: str
    namespaces: tuple[str, ...] = ()
    landlock_abi: int = 0
    seccomp: bool = False
    limits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Child(Protocol):
    """One confined process that executes one attempt and then ends."""

    @property
    def sock(self) -> socket.socket:
        """Non-blocking stream socket to the child; the host closes it by `close()`."""
        ...

    @property
    def token(self) -> int:
        """Names this child in `Exit`; never used twice by one zygote."""
        ...

    @property
    def pid(self) -> int:
        """Same as `token`: the child's process id is known inside its namespace only."""
        ...

    @property
    def isolation(self) -> Isolation | None:
        """What holds around this child, which may have a sandbox of its own; None until `exits` has
        heard it, which is before or together with the child's first word."""
        ...

    def kill(self) -> None:
        """Have the child and all it started killed; its `Exit` follows."""
        ...

    def close(self) -> None:
        """Close this end of the socket; a child that still waits for a frame then ends."""
        ...


class Zygote(Protocol):
    """Forks confined children of one bundle; itself runs no tenant code and sees no item."""

    @property
    def pid(self) -> int | None:
        """Process id in the host's view; None until the zygote is ready."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the zygote can still hand out children."""
        ...

    @property
    def ready(self) -> bool:
        """Whether the zygote has finished its start and said what isolation holds."""
        ...

    @property
    def failure(self) -> str:
        """Why the zygote is not alive; empty while it is."""
        ...

    @property
    def isolation(self) -> Isolation | None:
        """What holds around the children; None until the zygote is ready."""
        ...

    def fileno(self) -> int:
        """Descriptor that is readable whenever `exits()` has something to say or to do."""
        ...

    def exits(self) -> list[Exit]:
        """Take every exit reported since the last call; never blocks.

        A child that needs a sandbox of its own may get it only here.
        """
        ...

    def take(self, attempt: AttemptPolicy) -> Child:
        """Hand out a child at once and top the reserve up.

        Raises:
            UsageError: the driver cannot grant this policy.
            Busy: the zygote is behind; try again after `exits()`.
            WorkerError: the zygote is gone.
        """
        ...

    def close(self) -> None:
        """End the zygote and every child, and remove what they left behind."""
        ...


class Sandbox(Protocol):
    """A way to confine processes on this machine."""

    @property
    def name(self) -> str:
        """Name by which configuration asks for it."""
        ...

    @property
    def label(self) -> str:
        """Isolation class: `shared-kernel` or `none`."""
        ...

    def start(self, bundle: Path, policy: ZygotePolicy) -> Zygote:
        """Start a zygote for an unpacked bundle; returns before it is ready.

        Raises:
            UsageError: this machine cannot run the driver, or the bundle is not one.
        """
        ...
