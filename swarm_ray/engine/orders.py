"""Statements of a batch, rebuilt from what both sides know.

Decides how the fields of entries and parcels become the statements that coordinator and host
sign and check. Pure: keys and transport are elsewhere.
"""

import hashlib
from collections.abc import Sequence

from swarm_ray.attestation.batch import BatchHeader
from swarm_ray.attestation.statement import (
    Execution,
    Terms,
    WorkOrder,
    execution_statement,
    order_statement,
)
from swarm_ray.core.events import Row
from swarm_ray.core.host import Outcome
from swarm_ray.ports.hosts import HostInfo, Parcel

NO_BODY = "0" * 64
NONCE_CHARS = 32


def attempt_nonce(nonce: str, item: int, attempt: int) -> str:
    """Return the nonce of one attempt of a batch, 32 hexadecimal characters."""
    return hashlib.sha256(f"{nonce}/{item}/{attempt}".encode()).hexdigest()[:NONCE_CHARS]


def scope_token(nonce: str, item: int, attempt: int) -> str:
    """Return the opaque scope token of one attempt; the statement holds only its digest."""
    return hashlib.sha256(f"scope/{nonce}/{item}/{attempt}".encode()).hexdigest()


def order_header(parcel: Parcel) -> BatchHeader:
    """Return what the coordinator's envelope over a parcel is about."""
    order = parcel.order
    return BatchHeader(
        "dispatch", order.run, order.swarm, order.epoch, order.batch, parcel.host, parcel.bundle
    )


def order_statements(parcel: Parcel, site: str) -> list[bytes]:
    """Return the statements that the coordinator's envelope over a parcel commits to."""
    order = parcel.order
    return [
        order_statement(
            _work(parcel, index),
            Terms(
                site,
                "",
                0,
                parcel.slice_tokens,
                parcel.slice_microusd,
                hashlib.sha256(scope_token(parcel.nonce, item, attempt).encode()).hexdigest(),
            ),
        )
        for index, (item, attempt) in enumerate(zip(order.items, order.attempts, strict=True))
    ]


def result_header(parcel: Parcel, outcome: Outcome, epoch: int) -> BatchHeader:
    """Return what a host's envelope over an outcome is about."""
    return BatchHeader(
        "results",
        outcome.run,
        outcome.swarm,
        epoch,
        outcome.batch,
        parcel.host,
        parcel.bundle,
        outcome.sequence,
    )


def result_statements(
    parcel: Parcel, rows: Sequence[Row], host: HostInfo, isolation: str, sandbox: str = ""
) -> list[bytes]:
    """Return the execution statements of rows in row order; `isolation` and `sandbox` are those of
    the delivery."""
    places = {item: index for index, item in enumerate(parcel.order.items)}
    return [
        execution_statement(
            _work(parcel, places[row.item]), _execution(row, host, isolation, sandbox)
        )
        for row in rows
    ]


def _work(parcel: Parcel, index: int) -> WorkOrder:
    order = parcel.order
    item, attempt = order.items[index], order.attempts[index]
    return WorkOrder(
        order.run,
        order.swarm,
        item,
        attempt,
        attempt_nonce(parcel.nonce, item, attempt),
        parcel.bundle,
        parcel.context,
        parcel.inputs[index],
    )


def _execution(row: Row, host: HostInfo, isolation: str, sandbox: str) -> Execution:
    return Execution(
        status=row.status,
        output=row.output or row.error or NO_BODY,
        host=host.name,
        site=host.site,
        organisation=host.organisation,
        isolation=isolation,
        model=row.model,
        started_us=row.start_us,
        ended_us=row.start_us + row.duration_us,
        tokens=row.tokens,
        cost_microusd=row.microusd,
        cpu_us=row.cpu_us,
        label=row.label,
        code=row.code,
        confidence_ppm=row.confidence_ppm,
        artifacts=(row.extras,) if row.extras else (),
        sandbox=sandbox,
    )
