"""Multilevel and multivariate meta-regression: several effects per study, correlated errors, nested random effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Batch, Codes, Component, Sampling, batches_of, blocks_of
from sweval.models.engine.meta.likelihood import METHODS, Method, Value, evaluate
from sweval.models.engine.meta.rotated import rotated
from sweval.models.engine.ols import Array, centred_columns, constant_column, independent_columns

Evaluator = Callable[[Array, Method], Value]

_MOST_STEPS = 200
_CONVERGED = 1e-13
"""Squared length of the last step, in standard errors of the variance components."""
_ROUNDING = 1e-10
_APART = 1e-9


@dataclass(frozen=True, kw_only=True)
class MultilevelFit:
    """A fitted meta-regression.

    Parameters
    ----------
    coefficients, covariance
        Of the kept columns of the design, shapes (p,) and (p, p); the covariance holds under the working model.
    kept, aliased
        Columns of the design that were used, and that add nothing to the columns before them.
    components
        The levels.
    sigma2, sigma2_covariance
        Their variances (K,), and the inverse of the expected information (K, K); NaN rows at a variance of zero.
    log_likelihood
        With metafor's constants.
    method, converged
        How it was fitted, and whether the search ended at a maximum.
    q, q_df, q_p
        Cochran's Q, generalised to dependent effects: residual heterogeneity, chi-square.
    batches, transform
        The blocks, and R with `X = QR`: what robust tests need.
    U
        Q with the effects as its last column, shape (k, p + 1).
    """

    coefficients: Array
    covariance: Array
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    components: tuple[Component, ...]
    sigma2: Array
    sigma2_covariance: Array
    log_likelihood: float
    method: Method
    converged: bool
    q: float
    q_df: int
    q_p: float
    batches: tuple[Batch, ...]
    transform: Array
    U: Array

    @property
    def k(self) -> int:
        """Return the number of effects."""
        return len(self.U)

    @property
    def blocks(self) -> int:
        """Return the number of independent blocks."""
        return sum(len(batch.rows) for batch in self.batches)

    def totals(self, batch: Batch) -> Array:
        """Return the fitted covariance of the blocks of a batch, shape (m, n, n)."""
        total: Array = batch.V + np.tensordot(self.sigma2, batch.same, axes=1)
        return total


def multilevel(
    y: Array,
    sampling: Sampling,
    X: Array,
    components: tuple[Component, ...],
    *,
    cluster: Codes | None = None,
    method: Method = "REML",
    start: Array | None = None,
) -> MultilevelFit:
    """Fit `y = Xb + random effects + errors of known covariance`.

    Use it for dependent effects; for independent ones `sweval.models.engine.meta.univariate` has more estimators.

    Parameters
    ----------
    y
        Effects, shape (k,).
    sampling
        Their sampling covariance.
    X
        Design matrix, shape (k, p), with its constant if there is to be one.
    components
        The levels at which true effects vary; nested, crossed, or each for part of the effects. None: a fixed-effect
        model.
    cluster
        Codes of clusters that are to be kept together for robust tests.
    method
        "REML" or "ML".
    start
        Where the search begins; for a series of fits.

    Returns
    -------
    MultilevelFit

    Raises
    ------
    DesignError
        If effects are missing, there are no more effects than coefficients, two levels hold the same effects together,
        or the sampling covariance is impossible.

    Notes
    -----
    Newton's method on the variance components with exact second derivatives (expected ones where these are not
    positive definite), projected on components of zero or more and started from several places, because a component of
    zero can be a second maximum. Log-likelihood: -((k - p) log(2 pi) - log|X'X| + log|S| + log|X'WX| + r'Wr) / 2.

    Examples
    --------
    >>> y, v = np.array([0.2, 0.5, 0.1, 0.9, 0.4, 0.3]), np.full(6, 0.04)
    >>> study = np.array([0, 0, 1, 2, 2, 3])
    >>> levels = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(6)))
    >>> fit = multilevel(y, Sampling(variance=v, group=study, rho=0.6), np.ones((6, 1)), levels)
    >>> fit.coefficients.round(3).tolist(), fit.sigma2.round(4).tolist()
    ([0.384], [0.0, 0.0506])
    """
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    bad = int((~np.isfinite(y)).sum() + (~np.isfinite(X)).sum())
    if bad:
        raise DesignError(f"effects or moderators hold {bad} missing or infinite values.", fix="Leave these rows out.")
    kept, aliased, Q, R = orthogonal(X)
    k, p = Q.shape
    if k <= p:
        raise DesignError(
            f"there are {k} effects for {p} coefficients, so nothing tells how much effects vary.",
            fix="Use fewer moderators, or more studies.",
        )
    joined = [*sampling.joined(), *(component.codes for component in components)]
    batches = batches_of(blocks_of(k, joined if cluster is None else [*joined, cluster]), sampling, components)
    _refuse_equal(batches, components)
    U = np.column_stack([Q, y])
    likelihood = evaluator(batches, U, len(components))
    starts = _starts(y, sampling.variance, len(components), start)
    _refuse_confounded(likelihood, starts[0], components)
    best, sigma2, converged = _search(likelihood, starts, method)
    inverse = np.linalg.solve(R, np.eye(p))
    constant = k * np.log(2 * np.pi) if method == "ML" else (k - p) * np.log(2 * np.pi)
    q = evaluate(np.zeros(0), tuple(_without(batch) for batch in batches), U, method="ML").distance
    return MultilevelFit(
        coefficients=inverse @ best.coefficients,
        covariance=inverse @ best.phi @ inverse.T,
        kept=tuple(kept),
        aliased=tuple(aliased),
        components=components,
        sigma2=sigma2,
        sigma2_covariance=_component_covariance(best, sigma2),
        log_likelihood=-(constant + best.deviance) / 2,
        method=method,
        converged=converged,
        q=q,
        q_df=k - p,
        q_p=float(chdtrc(k - p, q)),
        batches=batches,
        transform=R,
        U=U,
    )


def orthogonal(X: Array) -> tuple[list[int], list[int], Array, Array]:
    """Return kept and aliased columns, Q and R with `X[:, kept] = QR`; a constant costs no digits of a year."""
    constant = constant_column(X)
    centred, shift = centred_columns(X, np.ones(len(X)), constant)
    kept, aliased, Q, R = independent_columns(centred, first=constant)
    return kept, aliased, Q, R @ shift[np.ix_(kept, kept)]


def _refuse_equal(batches: tuple[Batch, ...], components: tuple[Component, ...]) -> None:
    """Refuse components that no effects can tell apart."""
    K = len(components)
    gram = sum((np.einsum("kjab,ljab->kl", b.same, b.same) for b in batches), np.zeros((K, K)))
    for k in range(K):
        if gram[k, k] == 0:
            raise DesignError(f'no effect has the level "{components[k].name}".')
    scale = np.sqrt(np.diag(gram))
    if K > 1 and np.linalg.eigvalsh(gram / np.outer(scale, scale))[0] < _APART:
        listed = " and ".join(f'"{component.name}"' for component in components)
        raise DesignError(
            f"the levels {listed} cannot be told apart: one groups the effects exactly as the others do.",
            fix="Leave one of them out.",
        )


def _refuse_confounded(likelihood: Evaluator, at: Array, components: tuple[Component, ...]) -> None:
    """Refuse a component of which the coefficients leave nothing to see."""
    left, whole = (np.diag(likelihood(at, method).expected) for method in METHODS)
    for component, part, total in zip(components, left, whole, strict=True):
        if part < 1e-8 * total:
            raise DesignError(
                f'the variance of "{component.name}" cannot be seen: there is one group, or moderators tell all apart.',
                fix="Leave this level out, or moderators that tell every group apart.",
            )


def _without(batch: Batch) -> Batch:
    """Return the blocks without random effects."""
    return Batch(rows=batch.rows, V=batch.V, same=batch.same[:0], label=batch.label)


def _starts(y: Array, v: Array, K: int, start: Array | None) -> list[Array]:
    """Return where to begin: at equal shares of the heterogeneity, then with all of it in one component."""
    spread = max(float(np.var(y)) - float(np.median(v)), 0.05 * float(np.median(v)), 1e-3 * float(np.var(y)))
    first = np.full(K, spread / max(K, 1)) if start is None else np.maximum(start, 0.01 * spread)
    return [first, *(spread * (0.05 + 0.9 * np.eye(K)[k]) for k in range(K) if K > 1)]


def evaluator(batches: tuple[Batch, ...], U: Array, components: int) -> Evaluator:
    """Return the likelihood as a function of the variance components, by the quickest way that the levels allow."""
    quick = rotated(batches, U, components)
    if quick is not None:
        return lambda sigma2, method: quick.evaluate(sigma2, method=method)
    return lambda sigma2, method: evaluate(sigma2, batches, U, method=method)


def _search(likelihood: Evaluator, starts: list[Array], method: Method) -> tuple[Value, Array, bool]:
    """Return the best maximum; further starts are tried where the first ends at a component of zero."""
    found: tuple[Value, Array, bool] | None = None
    for start in starts:
        value, sigma2, converged = climb(likelihood, start, method)
        if found is None or value.deviance < found[0].deviance - 1e-9:
            found = value, sigma2, converged
        if converged and (sigma2 > 0).all():
            break
    if found is None:
        raise DesignError("the search for the variance components has no starting point.")
    return found


def climb(
    likelihood: Evaluator, sigma2: Array, method: Method, *, held: int | None = None
) -> tuple[Value, Array, bool]:
    """Follow projected Newton steps down the deviance, all the way with the component `held` as it is."""
    value = likelihood(sigma2, method)
    moving = np.arange(len(sigma2)) != held
    if not moving.any():
        return value, sigma2, True
    floor = 1e-14 * float(sigma2.sum())
    for _ in range(_MOST_STEPS):
        free = ((sigma2 > 0) | (value.gradient < 0)) & moving
        step, length = _newton_step(value, free)
        if length < _CONVERGED:
            return value, sigma2, True
        size = 1.0
        while True:
            proposal = np.maximum(sigma2 + size * step, 0.0)
            proposal[(proposal < floor) & moving] = 0.0
            there = likelihood(proposal, method)
            near = length < _ROUNDING * max(abs(value.deviance), 1.0)  # the deviance has no digits left, slopes have
            if near or there.deviance <= value.deviance - 1e-4 * float(value.gradient @ (sigma2 - proposal)):
                break
            size /= 2
            if size < 1e-10:
                return value, sigma2, False
        sigma2, value = proposal, there
    return value, sigma2, False


def _newton_step(value: Value, free: np.ndarray) -> tuple[Array, float]:
    """Return the step in the free components, and its squared length in standard errors."""
    step = np.zeros(len(free))
    if not free.any():
        return step, 0.0
    at = np.ix_(free, free)
    for curvature in (value.observed[at], value.expected[at]):
        scale = np.sqrt(np.abs(np.diag(curvature)))
        if not (scale > 0).all():
            continue
        values, vectors = np.linalg.eigh(curvature / np.outer(scale, scale))
        if values[0] > 1e-8:
            slope = vectors.T @ (value.gradient[free] / scale)
            step[free] = -(vectors @ (slope / values)) / scale
            return step, float((slope**2 / values).sum())
    step[free] = -value.gradient[free] / np.maximum(np.abs(np.diag(value.expected[at])), 1e-300)
    return step, float(np.sum(value.gradient[free] * -step[free]))


def _component_covariance(value: Value, sigma2: Array) -> Array:
    """Return the inverse of the expected information in the components above zero."""
    out = np.full((len(sigma2), len(sigma2)), np.nan)
    above = np.flatnonzero(sigma2 > 0)
    if len(above):
        out[np.ix_(above, above)] = 2 * np.linalg.pinv(value.expected[np.ix_(above, above)])
    return out
