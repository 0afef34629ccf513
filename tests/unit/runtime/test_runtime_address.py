"""An address at which no cluster answers is named at once, with the remedy."""

import socket

import pytest

from swarm_ray.errors import SwarmError


@pytest.mark.ray
def test_an_address_where_nobody_listens_is_refused_as_it_was_written() -> None:
    from swarm_ray.runtime.cluster import _reach

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        _reach("local", "")  # there is nothing to reach
        with pytest.raises(SwarmError) as refused:
            _reach(address, f"localhost:{address}")
    assert refused.value.code == "runtime.no_cluster"
    assert f"localhost:{address}" in refused.value.message
    assert "SWARM_RAY_ADDRESS" in refused.value.hint
