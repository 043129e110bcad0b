"""The variance parameters at the optimum, and all derivatives in them that tests of contrasts need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweval.models.engine.mixed.model import Array, inverse
from sweval.models.engine.mixed.objective import Objective
from sweval.models.engine.mixed.optimise import Optimum
from sweval.models.engine.mixed.structure import Natural


@dataclass(frozen=True, kw_only=True, eq=False)
class Variances:
    """Derivatives in the variance parameters theta; V is the covariance of all rows, C = Q' V^-1 Q.

    The order is: residual variance (of every class), then every level from the lowest of the chain to the last of the
    border, the lower triangle of its covariance by columns.

    Parameters
    ----------
    beta
        Coefficients of Q.
    phi
        `C^-1`, their covariance.
    sigma2
        Residual variance (of class 0).
    P
        `dC / dtheta_i`, shape (t, p, p).
    Q
        `Q' V^-1 V_i V^-1 V_l V^-1 Q` plus its transpose, shape (t, t, p, p).
    R
        `Q' V^-1 V_il V^-1 Q`, shape (t, t, p, p); None where V is linear in theta.
    observed, expected
        Observed and expected information of theta under the fitted likelihood: Hessians of -log L, shape (t, t).
    average
        Average information `y'P V_i P V_l P y / 2` (Gilmour, Thompson & Cullis 1995, Biometrics 51, 1440-1450).
    """

    beta: Array
    phi: Array
    sigma2: float
    P: Array
    Q: Array
    R: Array | None
    observed: Array
    expected: Array
    average: Array

    def shifted(self, by: Array) -> Variances:
        """Return a copy with the coefficients of Q in which the outcome was centred added back."""
        return replace(self, beta=self.beta + by)

    def reparametrised(self, jacobian: Array, curvature: Array) -> Variances:
        """Return the derivatives in other parameters eta.

        Parameters
        ----------
        jacobian
            `d theta / d eta`, shape (t, s).
        curvature
            `d2 theta_k / d eta_i d eta_l`, shape (s, s, t).
        """
        J = jacobian
        P = np.einsum("ts,tab->sab", J, self.P)
        Q = np.einsum("ts,ur,tuab->srab", J, J, self.Q, optimize=True)
        R = -np.einsum("srt,tab->srab", curvature, self.P)
        if self.R is not None:
            R = R + np.einsum("ts,ur,tuab->srab", J, J, self.R, optimize=True)
        # at the optimum the gradient in theta is zero, so the observed information has no term in the curvature
        observed, expected, average = (J.T @ info @ J for info in (self.observed, self.expected, self.average))
        return replace(self, P=P, Q=Q, R=R, observed=observed, expected=expected, average=average)


def variances(objective: Objective, best: Optimum, *, scale: float) -> Variances:
    """Return the variance parameters with their derivatives.

    Parameters
    ----------
    objective, best
        The criterion and its optimum.
    scale
        What the outcome was divided by.
    """
    swept, nu, n, p = best.at.swept, objective.nu, objective.found.n, objective.found.p
    sigma2 = best.at.residual_sum / nu * scale * scale
    parts = objective.split(best.phi)
    own = np.concatenate([s.coordinates(part) for s, part in zip(objective.structures, parts, strict=True)])
    naturals = [s.natural(part, sigma2) for s, part in zip(objective.structures, parts, strict=True)]
    # directions: V itself, then the basis of every level; all on the absolute scale of V
    D = len(own)
    M, logs = swept.M / sigma2, np.append(n, swept.d_logdet / sigma2)
    dM = np.concatenate([-M[None], swept.d_M / sigma2**2])
    ddM = np.empty((D + 1, D + 1, *M.shape))
    ddM[0, 0], ddM[1:, 1:] = 2 * M, swept.dd_M / sigma2**3
    ddM[0, 1:] = ddM[1:, 0] = -2 * dM[1:]
    ddlog = np.empty((D + 1, D + 1))
    ddlog[0, 0], ddlog[1:, 1:] = -n, swept.dd_logdet / sigma2**2
    ddlog[0, 1:] = ddlog[1:, 0] = -logs[1:]
    residual = [k for k, s in enumerate(objective.structures) if s.owns_residual]
    columns, curvatures = _directions(naturals, residual, own, sigma2)
    J = columns.T
    P = np.tensordot(columns, dM, axes=1)
    second = np.swapaxes(np.tensordot(columns, np.tensordot(columns, ddM, axes=1), axes=(1, 1)), 0, 1)
    ddlog_theta = J.T @ ddlog @ J
    bend = None if curvatures is None else np.einsum("tud,dab->tuab", curvatures, dM)
    log_bend = None if curvatures is None else curvatures @ logs
    x = slice(0, p)
    C = M[x, x]
    phi = inverse(C)
    beta = best.at.beta * scale
    v = np.append(-beta / scale, 1.0) * scale
    Pxx = P[:, x, x]
    T = phi @ Pxx
    a = (P @ v)[:, x]
    quadratic = (second @ v) @ v / 2 - a @ phi @ a.T
    trace = -ddlog_theta
    if objective.reml:
        trace = (
            trace - np.einsum("ab,tuab->tu", phi, second[:, :, x, x], optimize=True) + np.einsum("tab,uba->tu", T, T)
        )
    observed = -trace / 2 + quadratic
    if bend is not None and log_bend is not None:
        slope = log_bend + np.einsum("a,tuab,b->tu", v, bend, v, optimize=True)
        if objective.reml:
            slope = slope + np.einsum("ab,tuab->tu", phi, bend[:, :, x, x], optimize=True)
        observed = observed + slope / 2
    return Variances(
        beta=beta,
        phi=phi,
        sigma2=sigma2,
        P=Pxx,
        Q=second[:, :, x, x],
        R=None if bend is None else -bend[:, :, x, x],
        observed=observed,
        expected=trace / 2,
        average=quadratic / 2,
    )


def _directions(
    naturals: Sequence[Natural], residual: list[int], own: Array, sigma2: float
) -> tuple[Array, Array | None]:
    """Return theta's directions (t, 1 + D) on V and all bases, and their second derivatives (t, t, 1 + D) or None."""
    D = len(own)
    identity = np.append(1 / sigma2, -own)
    spans, at = [], 1
    for natural in naturals:
        spans.append(slice(at, at + natural.basis.shape[1]))
        at += natural.basis.shape[1]
    order = [*residual, *(k for k in range(len(naturals)) if k not in residual)]
    rows: list[Array] = []
    bent: list[Array | None] = []
    if not residual:
        rows.append(identity[None])
        bent.append(None)
    for k in order:
        natural = naturals[k]
        block = np.outer(natural.identity, identity)
        block[:, spans[k]] += natural.basis
        rows.append(block)
        if natural.curvature is None:
            bent.append(None)
        else:
            bend = np.zeros((len(block), len(block), D + 1))
            bend[:, :, spans[k]] = natural.curvature
            bent.append(bend)
    columns = np.concatenate(rows)
    if all(b is None for b in bent):
        return columns, None
    out = np.zeros((len(columns), len(columns), D + 1))
    at = 0
    for block, wide in zip(rows, bent, strict=True):
        if wide is not None:
            out[at : at + len(block), at : at + len(block)] = wide
        at += len(block)
    return columns, out
