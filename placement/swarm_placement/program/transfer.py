"""What moving input data to a site costs, in seconds and in dollars."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, ItemClass, Link

Floats = NDArray[np.float64]
BYTES_PER_GB = 1e9


def transfers(instance: Instance, classes: Sequence[ItemClass]) -> tuple[Floats, Floats]:
    """Return seconds and dollars of moving the data of each class to each site.

    Data comes from the quickest site that holds it; a site that holds it waits for nothing and
    pays nothing. Concurrent transfers do not slow each other down in this model.
    """
    seconds = np.zeros((len(classes), len(instance.sites)))
    dollars = np.zeros_like(seconds)
    network = Network(instance)
    groups: dict[tuple[str, str], list[int]] = {}
    for number, one in enumerate(classes):
        if one.data_bytes > 0 and (one.data_site or one.dataset):
            groups.setdefault((one.data_site, one.dataset), []).append(number)
    for (data_site, dataset), rows in groups.items():
        holders = [
            index
            for index, site in enumerate(instance.sites)
            if site.name == data_site or (dataset and dataset in site.datasets)
        ]
        size = np.array([classes[row].data_bytes for row in rows])[:, None]
        seconds[rows], dollars[rows] = _from_quickest(network.ways(holders), size)
    return seconds, dollars


class Network:
    """The ways between all sites, as their ends and the links say."""

    def __init__(self, instance: Instance) -> None:
        self.latency = np.array([site.latency_s for site in instance.sites])
        self.bandwidth = np.array([site.bandwidth_bytes_per_s for site in instance.sites])
        self.egress = np.array([site.egress_usd_per_gb for site in instance.sites]) / BYTES_PER_GB
        number = {site.name: index for index, site in enumerate(instance.sites)}
        self.links: dict[int, list[tuple[int, Link]]] = {}
        for link in instance.links:
            end = (number[link.target], link)
            self.links.setdefault(number[link.source], []).append(end)

    def ways(self, holders: list[int]) -> Floats:
        """Return latency, seconds per byte and dollars per byte, 3 x holders x sites."""
        found = np.empty((3, len(holders), self.latency.size))
        found[0] = self.latency[holders, None] + self.latency
        found[1] = 1 / np.minimum(self.bandwidth[holders, None], self.bandwidth)
        found[2] = self.egress[holders, None]
        for row, holder in enumerate(holders):
            for target, link in self.links.get(holder, []):
                dollars = link.egress_usd_per_gb / BYTES_PER_GB
                found[:, row, target] = link.latency_s, 1 / link.bandwidth_bytes_per_s, dollars
        found[:, np.arange(len(holders)), holders] = 0.0
        return found


def _from_quickest(ways: Floats, size: Floats) -> tuple[Floats, Floats]:
    seconds = ways[0, 0] + size * ways[1, 0]
    dollars = size * ways[2, 0]
    for holder in range(1, ways.shape[1]):
        other = ways[0, holder] + size * ways[1, holder]
        quicker = other < seconds
        seconds = np.where(quicker, other, seconds)
        dollars = np.where(quicker, size * ways[2, holder], dollars)
    return seconds, dollars
