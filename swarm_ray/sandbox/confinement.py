"""How a zygote locks itself and how each child locks itself further.

Decides the order: what every child inherits is done once in the zygote, what must be a child's own
(its Landlock domain, its filter, its processor limit) in the child, before it reads its first frame.
A step that fails ends the process: nothing runs half confined.
"""

import os
import resource
import sys

from swarm_ray.sandbox import kernel
from swarm_ray.sandbox.seccomp import child_filter, shared_filter
from swarm_ray.sandbox.settings import Settings

# What a cgroup counts besides the declared processes: the zygote and the child itself.
COMPANIONS = 2


class Confinement:
    """The locks of one zygote and its children.

    Args:
        settings: the start-up orders.
        own_pids: the zygote is process 1 of its own namespace.
        own_mounts: all mounts are private and read-only, apart from the temporary folder.
        launched: a launcher shares the zygote's user namespace and counts there as well.
    """

    def __init__(
        self, settings: Settings, *, own_pids: bool, own_mounts: bool, launched: bool
    ) -> None:
        self._settings = settings
        self._own_pids = own_pids
        self._own_mounts = own_mounts
        self._companions = COMPANIONS + launched
        self._machine = os.uname().machine
        if settings.confined:
            self._child_program = kernel.Program(child_filter(self._machine))

    def lock_zygote(self) -> None:
        """Apply what every child inherits; the zygote itself loses it as well."""
        settings = self._settings
        size = settings.file_size_bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (settings.memory_bytes, settings.memory_bytes))
        _lower(resource.RLIMIT_NOFILE, settings.open_files)
        os.umask(0o077)
        if not settings.confined:
            return
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
        kernel.drop_capabilities()
        kernel.no_new_privileges()
        program = shared_filter(
            self._machine,
            processes=settings.processes > 0,
            metadata=settings.processes > 0 and self._own_mounts,
        )
        kernel.seccomp(kernel.Program(program))

    def ruleset(self, tmp: str, reads: tuple[str, ...] = ()) -> int:
        """Build the Landlock ruleset of one child; -1 where Landlock is not used."""
        if not self._settings.landlock:
            return -1
        rights = kernel.OWN | (kernel.EXECUTE if self._settings.processes else 0)
        own = [(tmp, rights), *((path, kernel.READ) for path in reads)]
        return kernel.landlock_ruleset([*self._settings.rules, *own])

    def lock_child(self, ruleset: int, cpu_s: int, memory_bytes: int = 0) -> None:
        """Lock the calling child for good. Nothing of the tenant has run in it yet.

        Args:
            ruleset: what `ruleset` returned for this child.
            cpu_s: its processor time; counted from its fork, unlike the zygote's.
            memory_bytes: an address space smaller than the inherited one; 0 keeps that.
        """
        settings = self._settings
        os.setsid()
        # One second between the signal a program can see and the one it cannot.
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        if memory_bytes:
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        if not self._own_pids and sys.platform == "linux":
            kernel.die_with_parent()
        if not settings.confined:
            return
        if settings.landlock:
            kernel.landlock_restrict(ruleset)
        if settings.processes == 0:
            kernel.seccomp(self._child_program)
        elif not settings.cgroup_procs:
            most = settings.processes + self._companions
            resource.setrlimit(resource.RLIMIT_NPROC, (most, most))

    def limits(self) -> list[str]:
        """Say how limits are held, for the isolation report."""
        held = [f"rlimit:{name}" for name in ("as", "cpu", "fsize", "nofile", "core")]
        if self._settings.processes:
            held.append("cgroup:pids" if self._settings.cgroup_procs else "rlimit:nproc")
        elif self._settings.confined:
            held.append("seccomp:no-processes")
        if self._own_mounts:
            held.append("tmpfs:size")
        return held


def _lower(limit: int, wanted: int) -> None:
    """Set a limit for good, to `wanted` or to the lower one already in force."""
    _, most = resource.getrlimit(limit)
    value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(limit, (value, value))
