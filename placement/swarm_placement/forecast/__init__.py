"""How long an execution takes: quantiles by blueprint, site and model, honest under drift."""

from swarm_placement.forecast.coverage import Coverage, coverage, pinball
from swarm_placement.forecast.forecaster import LEVELS, Forecast, Forecaster
from swarm_placement.forecast.history import FEATURES, Cell, History, Work
from swarm_placement.forecast.locations import Prior
from swarm_placement.forecast.site_margin import site_margin
from swarm_placement.forecast.table import Kind, duration_table

__all__ = [
    "FEATURES",
    "LEVELS",
    "Cell",
    "Coverage",
    "Forecast",
    "Forecaster",
    "History",
    "Kind",
    "Prior",
    "Work",
    "coverage",
    "duration_table",
    "pinball",
    "site_margin",
]
