"""Checkpoints as objects under S3 Object Lock: nobody can delete or shorten them until their time.

Decides that a bucket without versions and lock is refused, that nothing is written by a clock that
is off, and that only what was read back by its version counts. An object never stops a new version
under its key: whoever reads an anchor asks for the version, or takes the oldest.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from swarm_ray.attestation.checkpoint import read_checkpoint
from swarm_ray.attestation.note import parse_note
from swarm_ray.errors import IntegrityError, StorageError, UsageError
from swarm_ray.ports.anchors import Anchored, Prove

MAX_SKEW_S: Final = 60.0
DEFAULT_DAYS: Final = 365
_SIZE: Final = re.compile(r"[0-9]{20}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._/-]")


class ObjectLockAnchor:
    """Keeps checkpoints in one bucket, each for so many days.

    Args:
        url: `s3://bucket/prefix`; address and credentials come from boto3's own settings.
        days: how long nobody can delete a checkpoint, whoever they are.
        now_s: Unix time in seconds, from which the date of release is computed.

    Raises:
        UsageError: `anchor.extra_missing`, `anchor.bad_url`.
    """

    def __init__(
        self, url: str, days: int = DEFAULT_DAYS, now_s: Callable[[], float] = time.time
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise UsageError(
                "anchor.bad_url", f"{url!r} names no bucket", hint="write it as s3://bucket/prefix"
            )
        self.name = url
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._days = days
        self._now_s = now_s
        self._client = _client()
        self._fit = False

    def check(self) -> None:
        """Refuse a bucket in which nothing is locked, or a clock that is off.

        Raises:
            UsageError: `anchor.not_locked`, `anchor.wrong_clock`.
            StorageError: `anchor.out_of_reach`.
        """
        with self._told():
            answer = self._client.get_bucket_versioning(Bucket=self._bucket)
            self._check_clock(answer)
            locked = self._locks()
        if answer.get("Status") != "Enabled" or not locked:
            raise UsageError(
                "anchor.not_locked",
                f"bucket {self._bucket} has no versions under Object Lock",
                hint="make a bucket with Object Lock; it cannot be switched on without versions",
            )
        self._fit = True

    def keep(self, note: bytes, prove: Prove) -> Anchored:  # noqa: ARG002  # an object needs no proof
        """See the port.

        Raises:
            IntegrityError: `anchor.not_kept`: what the bucket holds is not what was sent, or not
                locked.
            UsageError, StorageError: as `check`.
        """
        if not self._fit:
            self.check()
        checkpoint = read_checkpoint(parse_note(note))
        key = f"{self._folder(checkpoint.origin)}{checkpoint.size:020}"
        until = datetime.fromtimestamp(self._now_s(), UTC) + timedelta(days=self._days)
        with self._told():
            put = self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=note,
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=until,
            )
            version = put.get("VersionId", "")
            kept = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version)
            data = kept["Body"].read()
        self._check_clock(kept)
        held = kept.get("ObjectLockRetainUntilDate")
        locked = kept.get("ObjectLockMode") == "COMPLIANCE" and held is not None
        if data != note or not version or not locked or held < until - timedelta(seconds=1):
            raise IntegrityError(
                "anchor.not_kept",
                f"bucket {self._bucket} does not hold version {version!r} of {key} under lock",
                hint="check with its keeper whether its locks hold",
            )
        time_us = int(kept["LastModified"].timestamp() * 1e6)
        reference = f"s3://{self._bucket}/{key}?versionId={version}"
        return Anchored(self.name, checkpoint.size, checkpoint.root.hex(), reference, time_us)

    def oldest(self, origin: str, size: int) -> bytes:
        """Return the first version that was kept of a checkpoint; later ones count for nothing.

        Raises:
            IntegrityError: `anchor.missing`.
            StorageError: `anchor.out_of_reach`.
        """
        key = f"{self._folder(origin)}{size:020}"
        with self._told():
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=key
            )
            versions = [
                one for page in pages for one in page.get("Versions", ()) if one["Key"] == key
            ]
            if not versions:
                raise IntegrityError(
                    "anchor.missing", f"bucket {self._bucket} holds no checkpoint of size {size}"
                )
            # Versions are listed latest first, and several may be of the same second.
            first = min(reversed(versions), key=lambda one: one["LastModified"])
            found = self._client.get_object(
                Bucket=self._bucket, Key=key, VersionId=first["VersionId"]
            )
            return bytes(found["Body"].read())

    def kept(self, origin: str) -> dict[int, bytes]:
        """Return by size the first version of every checkpoint that is kept of a log; what was
        written over it later counts for nothing.

        Raises:
            StorageError: `anchor.out_of_reach`.
        """
        folder = self._folder(origin)
        with self._told():
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=folder
            )
            keys = {one["Key"] for page in pages for one in page.get("Versions", ())}
        sizes = [key.removeprefix(folder) for key in keys]
        return {
            int(size): self.oldest(origin, int(size)) for size in sizes if _SIZE.fullmatch(size)
        }

    def _folder(self, origin: str) -> str:
        parts = (self._prefix, _UNSAFE.sub("_", origin), "")
        return "/".join(parts if self._prefix else parts[1:])

    def _locks(self) -> bool:
        from botocore.exceptions import ClientError

        try:
            found = self._client.get_object_lock_configuration(Bucket=self._bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
                return False
            raise
        return bool(found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled")

    def _check_clock(self, answer: Any) -> None:
        """Refuse to go on when the server's clock and ours differ: ours sets the date of release."""
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        server_s = parsedate_to_datetime(told).timestamp() if told else None
        if server_s is None or abs(server_s - self._now_s()) > MAX_SKEW_S:
            raise UsageError(
                "anchor.wrong_clock",
                f"this clock and that of {self._bucket} differ by more than {MAX_SKEW_S:.0f} s",
                hint="set the clock of this machine",
                server=told,
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise StorageError(
                "anchor.out_of_reach",
                f"bucket {self._bucket}: {error}",
                hint="check the bucket, its address and its credentials",
            ) from error


def _client() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise UsageError(
            "anchor.extra_missing",
            "an anchor in a bucket needs the package boto3",
            hint="pip install 'swarm-ray[cloud]'",
        ) from error
    settings = Config(
        connect_timeout=5,
        read_timeout=10,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
    )
    return boto3.client("s3", config=settings)
