"""The covariance of effects whose treated arms are compared with one and the same control arm."""

from __future__ import annotations

import numpy as np

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Codes
from sweval.models.engine.ols import Array


def shared_control_pairs(g: Array, n: Array, control: Codes, n_control: Array) -> tuple[Codes, Codes, Array]:
    """Return the pairs of effects that share a control arm, and their sampling covariance.

    Parameters
    ----------
    g
        Standardised mean differences, shape (k,).
    n
        Persons in both arms of each effect.
    control
        Code of the control arm; -1 where it is shared with nobody.
    n_control
        Persons in the control arm.

    Returns
    -------
    first, second, covariance
        Positions of the two effects of every pair, and `1 / n_C + g_i g_j / (2 nu)` with nu = n_i + n_j - n_C - 3, the
        df of a standard deviation pooled over three arms (Gleser & Olkin 2009 for large samples).

    Raises
    ------
    DesignError
        If a control arm is as large as all persons of its effect, or has two sizes.

    Examples
    --------
    >>> first, second, covariance = shared_control_pairs(
    ...     np.array([0.4, 0.6]), np.array([40.0, 40]), np.array([0, 0]), np.array([20.0, 20]))
    >>> first.tolist(), second.tolist(), covariance.round(4).tolist()
    ([0], [1], [0.0521])
    """
    held = control >= 0
    if (n_control[held] >= n[held]).any() or (n_control[held] < 1).any():
        raise DesignError("a shared control arm has no persons, or as many as both arms together.")
    first: list[int] = []
    second: list[int] = []
    for code in np.unique(control[held]):
        at = np.flatnonzero(control == code)
        if len(np.unique(n_control[at])) > 1:
            raise DesignError("a shared control arm has different numbers of persons for different effects.")
        rows, columns = np.triu_indices(len(at), 1)
        first += at[rows].tolist()
        second += at[columns].tolist()
    i, j = np.array(first, dtype=np.intp), np.array(second, dtype=np.intp)
    nu = n[i] + n[j] - n_control[i] - 3
    return i, j, 1 / n_control[i] + g[i] * g[j] / (2 * np.maximum(nu, 1))
