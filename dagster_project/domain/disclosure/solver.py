"""One linear program kept in the solver, so that each question starts where the last one ended.

Lives here: HiGHS through its own Python package; the attacker asks thousands of questions of one system, and from the
last answer the next takes few steps. Not here: what the rows mean (`program.py`).

Source: Huangfu & Hall (2018), Parallelizing the dual revised simplex method, Mathematical Programming Computation
10:119-142. From one objective to the next the last vertex stays feasible: a case for the primal method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from highspy import Highs

Array = NDArray[np.float64]
DUAL, PRIMAL = 1, 4
"""HiGHS's numbers of the simplex methods."""


class Infeasible(Exception):
    """Nothing satisfies the rows."""


@dataclass(frozen=True, slots=True)
class System:
    """`low <= matrix @ x <= high` and `least <= x <= most`. matrix: sparse, rows by columns."""

    matrix: Any
    low: Array
    high: Array
    least: Array
    most: Array


@dataclass(frozen=True, slots=True)
class Optimum:
    """The largest value, where it is, and the prices of rows and of the columns' bounds (0: it does not bind)."""

    value: float
    at: Array
    of_rows: Array
    of_columns: Array


class Solver:
    """Questions about one system. One thread and no clock, so that equal questions in equal order get equal answers."""

    def __init__(self, system: System) -> None:
        self.width = system.matrix.shape[1]
        self._solver = _loaded(system, np.zeros(self.width))
        self._has_vertex = False

    def bound(self, columns: NDArray[np.int32], least: float, most: float) -> Optimum:
        """New bounds of some columns, and the answer to the last question under them. Raises Infeasible.

        The last vertex may break the new bounds, but its prices stay right: a case for the dual method.
        """
        size = len(columns)
        self._solver.changeColsBounds(size, columns, np.full(size, least), np.full(size, most))
        return self._answer(DUAL)

    def relax(self, rows: list[int]) -> None:
        """Take the upper limit from some rows."""
        from highspy import kHighsInf

        for row in rows:
            self._solver.changeRowBounds(row, -kHighsInf, kHighsInf)

    def largest(self, sums: Array) -> Optimum:
        """Where a sum of columns is largest. Raises Infeasible."""
        self._solver.changeColsCost(self.width, np.arange(self.width, dtype=np.int32), -sums)
        return self._answer(PRIMAL if self._has_vertex else DUAL)

    def _answer(self, method: int) -> Optimum:
        from highspy import HighsModelStatus

        self._solver.setOptionValue("simplex_strategy", method)
        self._solver.run()
        if self._solver.getModelStatus() != HighsModelStatus.kOptimal:
            raise Infeasible(self._solver.modelStatusToString(self._solver.getModelStatus()))
        self._has_vertex = True
        found = self._solver.getSolution()
        return Optimum(
            -self._solver.getInfo().objective_function_value,
            np.array(found.col_value),
            np.array(found.row_dual),
            np.array(found.col_dual),
        )


def whole(system: System, sums: Array, nodes: int, gap: float) -> Array | None:
    """Whole numbers with as large a sum as a search of so many nodes finds, within that share of the best; or None."""
    from highspy import SolutionStatus

    solver = _loaded(system, -sums, is_whole=True)
    solver.setOptionValue("mip_max_nodes", nodes)
    solver.setOptionValue("mip_rel_gap", gap)
    solver.run()
    if solver.getInfo().primal_solution_status != SolutionStatus.kSolutionStatusFeasible:
        return None
    return np.array(solver.getSolution().col_value)


def _loaded(system: System, costs: Array, is_whole: bool = False) -> Highs:
    from highspy import Highs, HighsLp, HighsVarType, MatrixFormat, ObjSense

    columns = system.matrix.tocsc()
    program = HighsLp()
    program.num_row_, program.num_col_ = columns.shape
    program.sense_ = ObjSense.kMinimize
    program.col_cost_ = costs
    program.row_lower_, program.row_upper_ = system.low, system.high
    program.col_lower_, program.col_upper_ = system.least, system.most
    program.a_matrix_.format_ = MatrixFormat.kColwise
    program.a_matrix_.start_, program.a_matrix_.index_ = columns.indptr, columns.indices
    program.a_matrix_.value_ = columns.data
    if is_whole:
        program.integrality_ = [HighsVarType.kInteger] * columns.shape[1]
    solver = Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("parallel", "off")
    solver.passModel(program)
    return solver
