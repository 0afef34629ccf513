"""A worker under the real sandbox never sees a private key, whatever it tries."""

from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from engine_story import Town, letters

THIEF = '''\
"""Looks for keys in files and in the environment."""


def sort(inputs, ctx):
    import os

    found = []
    for path in inputs["letter"]["paths"]:
        try:
            with open(path) as file:
                found.append(file.read())
        except OSError as error:
            found.append(type(error).__name__)
    return [*found, *os.environ.values()]
'''


def test_a_worker_that_looks_for_keys_finds_none(town: Town):
    home = town.settings.home
    paths = sorted(home.rglob("*.pem"))
    assert len(paths) == 4
    run = town.open(letters(THIEF), letters=[{"paths": [str(path) for path in paths]}])
    result = town.end(run)
    told = repr(result.output) + repr(town.events(run))
    for path in paths:
        raw = load_pem_private_key(path.read_bytes(), None).private_bytes_raw()
        for secret in (path.read_text().splitlines()[1], raw.hex(), raw.decode("latin-1")):
            assert secret not in told
    assert not any(
        path.read_bytes().splitlines()[1] in other.read_bytes()
        for path in paths
        for other in home.rglob("*")
        if other.is_file() and other != path and Path(other).suffix != ".pem"
    ), "no key is in the ledger, a log or a body"
