"""Bodies above the row limit as objects of an S3 bucket, durable before anything names them.

Decides key and error of each object. It knows only commitments and bytes; salts and retention stay
in the table. Address and credentials of the server come from boto3's own settings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from swarm_ray.errors import IntegrityError, StorageError, UsageError

_PAGE: Final = 1_000


class BodyObjects:
    """Implements `BodyPlace` with the objects below a prefix: `<prefix>/ab/cdef...`.

    Args:
        url: `s3://bucket/prefix`.
        below: the last part of the prefix.

    Raises:
        UsageError: `ledger.extra_missing`, `config.bad_url`.
    """

    def __init__(self, url: str, below: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise UsageError(
                "config.bad_url",
                f"SWARM_RAY_BODIES={url!r} names no bucket",
                hint="write it as s3://bucket/prefix",
            )
        self._bucket = parts.netloc
        self._prefix = "/".join(one for one in (parts.path.strip("/"), below) if one) + "/"
        self._client = _client()

    def write(self, commitment: str, data: bytes) -> None:
        """See `BodyPlace`."""
        with self._told("written"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(commitment),
                Body=data,
                ChecksumAlgorithm="SHA256",
            )

    def read(self, commitment: str) -> bytes:
        """See `BodyPlace`."""
        with self._told("read"):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(commitment))
                return bytes(found["Body"].read())
            except self._client.exceptions.NoSuchKey as error:
                raise IntegrityError(
                    "ledger.body_missing",
                    f"the object of body {commitment[:16]} is gone",
                    hint="restore the bucket from a copy",
                    commitment=commitment,
                ) from error

    def remove(self, commitment: str) -> None:
        """See `BodyPlace`. A bucket that keeps versions keeps the bytes: use one without."""
        with self._told("removed"):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(commitment))

    def names(self, before_us: int) -> Iterator[str]:
        """See `BodyPlace`."""
        with self._told("listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, PaginationConfig={"PageSize": _PAGE}
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    if one["LastModified"].timestamp() * 1e6 < before_us:
                        yield one["Key"].removeprefix(self._prefix).replace("/", "")

    def _key(self, commitment: str) -> str:
        return f"{self._prefix}{commitment[:2]}/{commitment[2:]}"

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise StorageError(
                "ledger.write_failed" if done == "written" else "ledger.read_failed",
                f"a body could not be {done} in bucket {self._bucket}: {error}",
                hint="check the bucket, its address and its credentials, then resume",
            ) from error


def _client() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise UsageError(
            "ledger.extra_missing",
            "bodies in a bucket need the package boto3",
            hint="pip install 'swarm-ray[cloud]'",
        ) from error
    settings = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"total_max_attempts": 3, "mode": "standard"},
        s3={"addressing_style": "path"},
    )
    return boto3.client("s3", config=settings)
