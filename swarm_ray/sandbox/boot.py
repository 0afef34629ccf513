"""Entry point of a zygote process: leaves the host's namespaces, loads the bundle, serves.

Decides the order of the start. It is run as a script by a bare interpreter (`-I -S`), so that no
site hook, environment variable or package initialiser of the host takes part.
"""

import os
import sys
from _socket import socket


def _package_shells() -> None:
    """Make this package importable without running its `__init__` modules or searching a path."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = {
        "swarm_ray": os.path.dirname(here),
        "swarm_ray.sandbox": here,
    }
    for name, folder in folders.items():
        shell = type(sys)(name)
        shell.__path__ = [folder]
        sys.modules[name] = shell


def main() -> None:
    """Start the zygote whose control socket is the descriptor in the first argument."""
    _package_shells()
    from swarm_ray.sandbox import wire
    from swarm_ray.sandbox.departure import go_on_as_first, leave_namespaces
    from swarm_ray.sandbox.settings import Settings
    from swarm_ray.sandbox.start import run_zygote
    from swarm_ray.sandbox.template import run_template

    control = socket(fileno=int(sys.argv[1]))
    message = control.recv(wire.LARGEST_BYTES)
    if not message:
        return  # the host gave up before it sent the orders
    settings = Settings(**wire.unpack_json(message))
    if settings.template:
        run_template(control, settings)
        return
    left, notes = leave_namespaces(settings.leave)
    go_on_as_first(left)
    run_zygote(control, settings, left, notes)


if __name__ == "__main__":
    main()
