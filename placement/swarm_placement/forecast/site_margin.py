"""Which share of a site's slot-seconds to keep free, from how slow the whole site has been.

Executions at one site share its weather: the means of log residuals over periods spread more than
chance allows when the whole site is slow at times. The margin that makes up for a period as slow
as one in twenty is 1 - 1 / factor: a site that runs at half speed has half its slots.
"""

import numpy as np

from swarm_placement.forecast.history import Floats, rows_by

LEAST = 0.15
LEAST_IN_PERIOD = 8


def site_margin(
    period: "np.typing.NDArray[np.int64]",
    log_residual: Floats,
    *,
    level: float = 0.95,
    least: float = LEAST,
    most: float = 0.5,
) -> float:
    """Return the margin of one site, between `least` and `most`.

    `period` numbers the stretch of time (an hour, say) of each execution, `log_residual` is log
    seconds beyond the forecast's median; both of shape (n,). Medians of periods are shrunk by the
    share of their variance that sampling explains, so that noise alone asks for no margin.
    """
    medians, errors = [], []
    for _, rows in rows_by(period.tolist()):
        if len(rows) >= LEAST_IN_PERIOD:
            sample = log_residual[rows]
            medians.append(float(np.median(sample)))
            errors.append(float(np.pi / 2 * sample.var(ddof=1) / len(rows)))
    if len(medians) < 2:
        return least
    total = float(np.var(medians, ddof=1))
    common = max(0.0, 1.0 - float(np.mean(errors)) / total) if total > 0 else 0.0
    slow = float(np.quantile(medians, level))
    centre = float(np.mean(medians))
    factor = float(np.exp(max(0.0, centre + np.sqrt(common) * (slow - centre))))
    return min(most, max(least, 1.0 - 1.0 / factor))
