"""t and F tests with the adjusted covariance and the degrees of freedom of Kenward and Roger (1997).

Source: Kenward & Roger (1997, Biometrics 53, 983-997), the term in second derivatives of V included where V is not
linear in its parameters; expected information, as pbkrtest (Halekoh & Hojsgaard 2014, Journal of Statistical Software
59(9)) has it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import fdtrc

from sweval.errors import DesignError
from sweval.models.engine.mixed.model import Array
from sweval.models.engine.mixed.variances import Variances
from sweval.models.engine.ols import two_sided_p
from sweval.models.engine.sandwich import ContrastTest, WaldTest

Information = Literal["expected", "observed"]


def adjusted(found: Variances, information: Information = "expected") -> tuple[Array, Array]:
    """Return the adjusted covariance of the coefficients of Q, and that of the variance parameters W.

    Raises
    ------
    DesignError
        If the information is not positive definite: the data cannot tell the variance parameters apart.
    """
    info = found.expected if information == "expected" else found.observed
    scale = np.sqrt(np.clip(np.diag(info), 1e-300, None))
    scaled = info / np.outer(scale, scale)
    if np.linalg.eigvalsh(scaled)[0] < 1e-10:
        raise DesignError(
            "the data cannot tell the variance parameters apart, so Kenward-Roger's adjustment does not exist.",
            fix="Leave out a random term.",
        )
    W = np.linalg.inv(scaled) / np.outer(scale, scale)
    phi, P = found.phi, found.P
    inner = found.Q / 2 - (P @ phi)[:, None] @ P[None]
    if found.R is not None:
        inner = inner - found.R / 4
    U = np.einsum("tu,tuab->ab", W, inner)
    U = (U + U.T) / 2
    return phi + 2 * phi @ U @ phi, W


def contrasts(
    found: Variances, H: Array, values: Array, information: Information = "expected"
) -> tuple[ContrastTest, ...]:
    """Return the t test of every row of H (contrasts of the coefficients of Q) with its value."""
    phi, W = adjusted(found, information)
    errors = np.sqrt(np.einsum("ma,ab,mb->m", H, phi, H))
    out = []
    for h, value, error in zip(H, values.tolist(), errors.tolist(), strict=True):
        df, _ = _degrees(found, h[None], W)
        t = value / error
        out.append(ContrastTest(estimate=value, std_error=error, df=df, statistic=t, p_value=two_sided_p(t, df)))
    return tuple(out)


def joint(found: Variances, H: Array, information: Information = "expected") -> WaldTest:
    """Return the scaled F test of all rows of H."""
    phi, W = adjusted(found, information)
    q = len(H)
    value = H @ found.beta
    F = float(value @ np.linalg.solve(H @ phi @ H.T, value)) / q
    df, scaling = _degrees(found, H, W)
    F = scaling * F
    return WaldTest(statistic=F, df_numerator=q, df_denominator=df, p_value=float(fdtrc(q, df, F)))


def _degrees(found: Variances, H: Array, W: Array) -> tuple[float, float]:
    """Return denominator df and scaling of F (Kenward & Roger 1997, section 3.2 and appendix)."""
    q = len(H)
    theta = H.T @ np.linalg.solve(H @ found.phi @ H.T, H)
    inner = theta @ found.phi @ found.P @ found.phi
    traces = np.einsum("taa->t", inner)
    A1 = float(traces @ W @ traces)
    A2 = float((W * np.einsum("tab,uba->tu", inner, inner)).sum())
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / c, (q - g) / c, (q + 2 - g) / c
    v0, v1, v2 = 1 + c1 * B, 1 - c2 * B, 1 - c3 * B
    v0 = 0.0 if abs(v0) < 1e-10 else v0
    rho = (1 / q) * ((1 - A2 / q) / v1) ** 2 * v0 / v2
    df = 4 + (q + 2) / (q * rho - 1)
    scaling = 1.0 if abs(df - 2) < 1e-2 else df * (1 - A2 / q) / (df - 2)
    return float(df), float(scaling)
