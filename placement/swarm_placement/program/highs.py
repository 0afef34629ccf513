"""The one place that speaks to HiGHS: sparse columns in, values and duals out."""

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import SolverError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Solver = highspy.Highs
OPTIMAL = highspy.HighsModelStatus.kOptimal
MINIMISE = int(highspy.ObjSense.kMinimize)
PRIMAL = 4  # HiGHS names the primal simplex by this number
TIME_LIMIT = highspy.HighsModelStatus.kTimeLimit


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Columns of a linear program: cost, bounds, and entries sorted by column.

    Entry e of column j, `begins[j] <= e < begins[j + 1]`, stands in row `rows[e]` with
    `values[e]`.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    begins: Ints
    rows: Ints
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What HiGHS found: value per column, dual per row, objective, best proven bound."""

    values: Floats
    duals: Floats
    objective: float
    bound: float


def columns(
    cost: Floats, upper: Floats, owner: Ints, rows: Ints, values: Floats, lower: float = 0.0
) -> Columns:
    """Return columns from entries in any order; `owner[e]` is the column of entry e."""
    order = np.argsort(owner, kind="stable")
    begins = np.zeros(cost.size + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=cost.size), out=begins[1:])
    return Columns(cost, np.full(cost.size, lower), upper, begins, rows[order], values[order])


def joined(one: Columns, other: Columns) -> Columns:
    """Return the columns of both, one after the other."""
    return Columns(
        np.append(one.cost, other.cost),
        np.append(one.lower, other.lower),
        np.append(one.upper, other.upper),
        np.append(one.begins, one.rows.size + other.begins[1:]),
        np.append(one.rows, other.rows),
        np.append(one.values, other.values),
    )


def program(first: Columns, row_lower: Floats, row_upper: Floats) -> Solver:
    """Return a silent, single-threaded HiGHS with this program: minimise cost."""
    solver = Solver()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("presolve", "off")  # building the rest of the basis costs more
    size, count = first.cost.size, row_lower.size
    solver.passModel(
        size, count, first.rows.size, int(highspy.MatrixFormat.kColwise), MINIMISE, 0.0,
        first.cost, first.lower, first.upper, row_lower, row_upper,
        first.begins[:-1].astype(np.int32), first.rows.astype(np.int32), first.values,
        np.zeros(size, np.int32),
    )  # fmt: skip
    return solver


def limit(solver: Solver, rows: Ints, most: Floats) -> None:
    """Let rows be at most so much."""
    least = np.full(rows.size, -np.inf)
    solver.changeRowsBounds(  # type: ignore[attr-defined]  # the stub lacks it
        rows.size, rows.astype(np.int32), least, most
    )


def extend(solver: Solver, more: Columns) -> None:
    """Add columns to a solved program; the simplex goes on from what it has, primal feasible."""
    solver.addCols(
        more.cost.size, more.cost, more.lower, more.upper, more.rows.size,
        more.begins[:-1].astype(np.int32), more.rows.astype(np.int32), more.values,
    )  # fmt: skip
    solver.setOptionValue("simplex_strategy", PRIMAL)


def integral(solver: Solver, limit_s: float, gap: float) -> None:
    """Ask for whole numbers in all columns, within seconds and a relative gap."""
    count = solver.getNumCol()
    whole = np.full(count, highspy.HighsVarType.kInteger)
    solver.changeColsIntegrality(count, np.arange(count, dtype=np.int32), whole)
    solver.setOptionValue("presolve", "choose")
    solver.setOptionValue("time_limit", limit_s)
    solver.setOptionValue("mip_rel_gap", gap)


def hint(solver: Solver, values: Floats) -> None:
    """Tell the solver of a solution."""
    known = highspy.HighsSolution()
    known.col_value = values.tolist()
    solver.setSolution(known)


def run(solver: Solver) -> Answer:
    """Solve, and return what was found.

    Raises:
        SolverError: when HiGHS ends without a solution; every program built here has one.
    """
    solver.run()
    status = solver.getModelStatus()
    info = solver.getInfo()
    if status not in (OPTIMAL, TIME_LIMIT) or not np.isfinite(info.objective_function_value):
        raise SolverError(
            "highs.no_answer",
            "",
            f"HiGHS ended with {solver.modelStatusToString(status)}.",
            "Report it with the instance; look for numbers of very different size in it.",
        )
    solution = solver.getSolution()
    return Answer(
        np.array(solution.col_value),
        np.array(solution.row_dual),
        info.objective_function_value,
        info.mip_dual_bound,
    )
