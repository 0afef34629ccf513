"""How a zygote locks itself and how each child locks itself further.

Decides the order: what every child inherits is done once in the zygote, what must be a child's own
(its Landlock domain, its filter, its processor limit) in the child, before it reads its first frame.
A step that fails ends the process: nothing runs half confined.
"""

import os
import resource
import struct

from swarm_ray.sandbox import kernel
from swarm_ray.sandbox.seccomp import child_filter, shared_filter
from swarm_ray.sandbox.settings import Settings

# Besides its own processes a sandbox with declared processes holds the launcher, the zygote and the
# child itself; the launcher counts where it lives in the same user namespace or cgroup.
_COMPANIONS = {"landlock": 3, "bwrap": 2, "none": 3}


_U32 = struct.Struct("=I")


class Confinement:
    """The locks of one zygote and its children.

    Args:
        settings: the start-up orders.
        own_pids: the zygote is process 1 of its own namespace.
        own_mounts: all mounts are private and read-only, apart from the temporary folder.
    """

    def __init__(self, settings: Settings, *, own_pids: bool, own_mounts: bool) -> None:
        self._settings = settings
        self._own_pids = own_pids
        self._own_mounts = own_mounts
        self._machine = os.uname().machine
        code, self._pid_holes = child_filter(self._machine)
        self._child_program = kernel.load_program(code)

    def lock_zygote(self) -> None:
        """Apply what every child inherits; the zygote itself loses it as well."""
        settings = self._settings
        size = settings.file_size_bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
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
        kernel.seccomp(kernel.load_program(program))

    def ruleset(self, tmp: str, reads: tuple[str, ...] = ()) -> int:
        """Build the Landlock ruleset of one child; -1 where Landlock is not used."""
        if not self._settings.landlock:
            return -1
        rights = kernel.OWN | (kernel.EXECUTE if self._settings.processes else 0)
        own = [(tmp, rights), *((path, kernel.READ) for path in reads)]
        return kernel.landlock_ruleset([*self._settings.rules, *own])

    def lock_child(self, ruleset: int, memory_bytes: int, cpu_s: int) -> None:
        """Lock the calling child for good. Nothing of the tenant has run in it yet."""
        settings = self._settings
        os.setsid()
        if not self._own_pids and settings.confined:
            kernel.die_with_parent()
        set_limit = resource.setrlimit
        set_limit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        # One second between the signal a program can see and the one it cannot.
        set_limit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        set_limit(resource.RLIMIT_NOFILE, (settings.open_files, settings.open_files))
        if not settings.confined:
            return
        if settings.landlock:
            kernel.landlock_restrict(ruleset)
        if settings.processes == 0:
            pid = os.getpid()
            for hole in self._pid_holes:
                _U32.pack_into(self._child_program.buffer, hole, pid)
            kernel.seccomp(self._child_program)
        elif not settings.cgroup_procs:
            most = settings.processes + _COMPANIONS[settings.driver]
            set_limit(resource.RLIMIT_NPROC, (most, most))

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
