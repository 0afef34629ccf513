"""Temporary."""

from swarm_ray.sandbox.drivers import LandlockDriver, NoneDriver, BwrapDriver


def choose(requested=None):
    return {"landlock": LandlockDriver, "none": NoneDriver, "bwrap": BwrapDriver}[
        requested or "landlock"
    ]()


def probe():
    return []
