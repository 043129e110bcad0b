"""The mixed-model engine against plain dense algebra, its own derivatives, and what must not change a fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sweval.errors import DesignError
from sweval.models.engine.mixed import fit as fitting
from sweval.models.engine.mixed import moments as moments_of
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.levels import levels_of
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.engine.ols import least_squares

N = 240
RNG = np.random.default_rng(3)
ORG = RNG.integers(0, 8, N)
CLIENT = ORG * 6 + RNG.integers(0, 6, N)
RATER = RNG.integers(0, 7, N)
TIME = RNG.integers(0, 4, N).astype(float)
AGE = RNG.normal(size=N)
ONE = np.ones((N, 1))
X = np.column_stack([ONE, TIME, AGE])
Y = RNG.normal(size=8)[ORG] + RNG.normal(size=48)[CLIENT] + RNG.normal(size=N) + TIME
WITH_TIME, WITH_AGE = np.column_stack([ONE, TIME]), np.column_stack([ONE, AGE])
UNIT, OCCASION = np.repeat(np.arange(60), 4), np.tile(np.arange(4), 60)
KEPT = RNG.random(N) > 0.2
WEIGHTS = RNG.uniform(0.5, 2, N)


def _within(kind: str, *, above: bool) -> tuple:
    rows = KEPT
    factors = [Factor((UNIT // 10)[rows], ONE[rows])] if above else []
    residual = Residual(kind=kind, unit=UNIT[rows], occasion=OCCASION[rows])  # type: ignore[arg-type]
    return Y[rows], X[rows], factors, residual, None


MODELS: dict[str, tuple] = {
    "intercept": (Y, X, [Factor(ORG, ONE)], None, None),
    "weights": (Y, X, [Factor(ORG, ONE)], None, WEIGHTS),
    "slope": (Y, X, [Factor(CLIENT, WITH_TIME)], None, None),
    "uncorrelated slope": (Y, X, [Factor(CLIENT, WITH_AGE, "diagonal")], None, None),
    "three levels": (Y, X, [Factor(ORG, WITH_AGE), Factor(CLIENT, WITH_TIME)], None, None),
    "crossed": (Y, X, [Factor(CLIENT, ONE), Factor(RATER, ONE)], None, None),
    "crossed slopes": (
        Y, X, [Factor(CLIENT, WITH_TIME), Factor(RATER, WITH_AGE), Factor(ORG, ONE)], None, WEIGHTS,
    ),
    "two crossed": (
        Y, X, [Factor(CLIENT, ONE), Factor(RATER, ONE), Factor(RNG.integers(0, 5, N), WITH_AGE)], None, None,
    ),
    "partially nested": (
        Y, X, [Factor(np.where(TIME > 1, CLIENT, -1), ONE), Factor(ORG, ONE)],
        Residual(kind="by_class", classes=(TIME > 1).astype(int)), None,
    ),
    "four classes": (Y, X, [Factor(ORG, ONE)], Residual(kind="by_class", classes=TIME.astype(int)), None),
    "ar1": _within("ar1", above=True),
    "ar1 alone": _within("ar1", above=False),
    "unstructured": _within("unstructured", above=True),
    "unstructured alone": _within("unstructured", above=False),
    "compound symmetry": _within("compound_symmetry", above=True),
    "compound symmetry alone": _within("compound_symmetry", above=False),
}  # fmt: skip


def objective_of(name: str, reml: bool) -> tuple:
    """Return the criterion of a model, its levels in the order of the sweep, and the least squares fit below it."""
    y, design, factors, residual, weights = MODELS[name]
    line = least_squares(y, design, weights=weights)
    levels = levels_of(tuple(factors), residual or Residual(), line.weights)
    objective, order = fitting._objective(levels, line, reml=reml)
    return objective, [levels[k] for k in (*order.chain, *order.border)], line


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_the_criterion_is_that_of_dense_matrices(name: str, reml: bool) -> None:
    objective, levels, line = objective_of(name, reml)
    phi = objective.start() + 0.2 * np.random.default_rng(1).normal(size=len(objective.start()))
    root = np.sqrt(line.weights)
    V = np.eye(len(root))
    for structure, part, level in zip(objective.structures, objective.split(phi), levels, strict=True):
        Z = root[:, None] * level.Z
        same = (level.codes[:, None] == level.codes) & (level.codes >= 0)[:, None]
        V += (Z @ structure.psi(part) @ Z.T) * same
    data = np.column_stack([line.Q, root * line.residuals / line.sigma])
    M = data.T @ np.linalg.solve(V, data)
    p = line.Q.shape[1]
    left = M[p, p] - M[p, :p] @ np.linalg.solve(M[:p, :p], M[:p, p])
    dense = np.linalg.slogdet(V)[1] + objective.nu * np.log(left)
    dense += np.linalg.slogdet(M[:p, :p])[1] if reml else 0.0
    # both sum a few hundred terms of size 1 to 1000
    assert objective.value(phi) == pytest.approx(dense, abs=1e-9)
    assert objective.full(phi).value == pytest.approx(dense, abs=1e-9)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_derivatives_are_those_of_differences(name: str, reml: bool) -> None:
    objective, _, _ = objective_of(name, reml)
    size = len(objective.start())
    phi = objective.start() + 0.2 * np.random.default_rng(2).normal(size=size)
    at, h = objective.full(phi), 1e-5
    steps = h * np.eye(size)
    gradient = [(objective.value(phi + s) - objective.value(phi - s)) / (2 * h) for s in steps]
    hessian = [(objective.full(phi + s).gradient - objective.full(phi - s).gradient) / (2 * h) for s in steps]
    # differences of numbers near 1000 over 2e-5 are right to about 1e-8 of the largest
    np.testing.assert_allclose(at.gradient, gradient, atol=1e-6)
    np.testing.assert_allclose(at.hessian, hessian, atol=1e-6 * max(1.0, float(np.abs(hessian).max())))


@pytest.mark.parametrize("name", MODELS)
def test_joining_alike_units_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, design, factors, residual, weights = MODELS[name]
    joined = mixed_fit(y, design, factors, residual=residual, weights=weights)
    monkeypatch.setattr(moments_of, "_JOINED", 0)
    apart = mixed_fit(y, design, factors, residual=residual, weights=weights)
    # rounding only: two orders of summing the same products
    assert apart.log_likelihood == pytest.approx(joined.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(apart.coefficients, joined.coefficients, rtol=1e-7)


def numbers(fit: MixedFit) -> np.ndarray:
    """Return the numbers of a fit that a change of rows or labels must leave alone."""
    p = len(fit.coefficients)
    tests = [*fit.contrasts(np.eye(p)), *fit.contrasts(np.eye(p), "kenward-roger")]
    found = [fit.log_likelihood, *fit.coefficients, *fit.residual_variances]
    found += [value for C in fit.covariances for value in C.ravel()]
    return np.array(found + [value for test in tests for value in (test.std_error, test.df)])


@pytest.mark.parametrize("name", ["three levels", "crossed slopes", "partially nested", "ar1", "unstructured"])
def test_order_of_rows_and_labels_do_not_matter(name: str) -> None:
    y, design, factors, residual, weights = MODELS[name]
    rng = np.random.default_rng(4)
    rows = rng.permutation(len(y))

    def moved(codes: np.ndarray | None, *, relabel: bool = True) -> np.ndarray | None:
        if codes is None:
            return None
        labels = rng.permutation(int(codes.max()) + 1) if relabel else np.arange(int(codes.max()) + 1)
        return np.where(codes >= 0, labels[codes], -1)[rows]

    other = None
    if residual is not None:
        other = Residual(
            kind=residual.kind,
            classes=moved(residual.classes, relabel=False),
            unit=moved(residual.unit),
            occasion=moved(residual.occasion, relabel=False),
        )
    shuffled = mixed_fit(
        y[rows],
        design[rows],
        [Factor(moved(f.codes), f.Z[rows], f.covariance) for f in factors],
        residual=other,
        weights=None if weights is None else weights[rows],
    )
    plain = mixed_fit(y, design, factors, residual=residual, weights=weights)
    # the optimum is found to about half the digits of the criterion
    np.testing.assert_allclose(numbers(shuffled), numbers(plain), rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize("offset", [0.0, 2020.0, 1e5, 1e7])
def test_an_offset_of_outcome_and_time_costs_no_digits(offset: float) -> None:
    here = mixed_fit(Y, np.column_stack([ONE, TIME]), [Factor(CLIENT, WITH_TIME)])
    far = mixed_fit(
        Y + offset, np.column_stack([ONE, TIME + offset]), [Factor(CLIENT, np.column_stack([ONE, TIME + offset]))]
    )
    slope, slope_far = here.contrasts(np.eye(2))[1], far.contrasts(np.eye(2))[1]
    # adding 1e7 to a number with 16 digits leaves 9
    assert slope_far.estimate == pytest.approx(slope.estimate, rel=1e-7)
    assert slope_far.std_error == pytest.approx(slope.std_error, rel=1e-7)
    assert slope_far.df == pytest.approx(slope.df, rel=1e-6)
    assert far.log_likelihood == pytest.approx(here.log_likelihood, abs=1e-5)
    assert far.covariances[0][1, 1] == pytest.approx(here.covariances[0][1, 1], rel=1e-6)


def test_the_unit_of_the_outcome_only_scales() -> None:
    small, large = mixed_fit(Y, X, [Factor(CLIENT, ONE)]), mixed_fit(1e6 * Y, X, [Factor(CLIENT, ONE)])
    np.testing.assert_allclose(large.coefficients, 1e6 * small.coefficients, rtol=1e-9)
    np.testing.assert_allclose(large.covariances[0], 1e12 * small.covariances[0], rtol=1e-7)
    assert large.log_likelihood == pytest.approx(small.log_likelihood - (N - 3) * np.log(1e6), abs=1e-7)


def test_compound_symmetry_is_a_random_intercept_where_the_correlation_is_positive() -> None:
    unit = np.repeat(np.arange(40), 6)
    y = np.random.default_rng(5).normal(size=40)[unit] + RNG.normal(size=N)
    same = mixed_fit(y, X, [Factor(unit, ONE)])
    cs = mixed_fit(y, X, [], residual=Residual(kind="compound_symmetry", unit=unit))
    assert cs.log_likelihood == pytest.approx(same.log_likelihood, abs=1e-9)
    total = same.covariances[0][0, 0] + same.residual_variances[0]
    assert cs.correlation == pytest.approx(same.covariances[0][0, 0] / total, rel=1e-6)
    for df in ("satterthwaite", "kenward-roger"):
        one, two = same.contrasts(np.eye(3), df), cs.contrasts(np.eye(3), df)
        np.testing.assert_allclose([t.df for t in two], [t.df for t in one], rtol=1e-5)


def test_compound_symmetry_sees_a_negative_correlation() -> None:
    unit = np.repeat(np.arange(60), 4)
    y = np.random.default_rng(6).normal(size=N)
    y = y - 0.8 * np.array([y[unit == u].mean() for u in range(60)])[unit]
    cs = mixed_fit(y, ONE, [], residual=Residual(kind="compound_symmetry", unit=unit))
    assert cs.correlation is not None
    assert -1 / 3 < cs.correlation < -0.1
    assert mixed_fit(y, ONE, [Factor(unit, ONE)]).any_singular


def test_ar1_finds_the_correlation_of_a_long_series() -> None:
    rng, rho = np.random.default_rng(7), 0.6
    e = rng.normal(size=150)
    for t in range(1, 150):
        e[t] = rho * e[t - 1] + np.sqrt(1 - rho**2) * e[t]
    fit = mixed_fit(
        e, np.ones((150, 1)), [], residual=Residual(kind="ar1", unit=np.zeros(150, int), occasion=np.arange(150))
    )
    assert fit.correlation == pytest.approx(rho, abs=0.2)  # 3 standard errors of rho
    test = fit.contrasts(np.eye(1), "kenward-roger")[0]
    # 2 / (relative variance of (1 + rho) / (1 - rho)) is about 20: far fewer df than 149 independent values have
    assert 10 < test.df < 40
    assert fit.converged


def test_a_variance_of_zero_is_flagged_and_kenward_roger_keeps_few_df() -> None:
    cluster = np.repeat(np.arange(8), 15)
    arm = (cluster % 2).astype(float)
    y = np.random.default_rng(0).normal(size=120)
    y = y - np.array([y[cluster == c].mean() for c in range(8)])[cluster]  # less than no variance between clusters
    fit = mixed_fit(y, np.column_stack([np.ones(120), arm]), [Factor(cluster, np.ones((120, 1)))])
    assert fit.any_singular
    assert fit.converged
    assert fit.covariances[0][0, 0] == 0
    df = fit.contrasts(np.eye(2), "kenward-roger")[1].df
    assert df == pytest.approx(6, abs=1e-6)  # balanced: J - 2, whatever the estimate


def test_balanced_designs_give_the_classical_tests() -> None:
    """A t test on the means of equal clusters: the same t and J - 2 df, by both methods."""
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(10), 6)
    arm = (cluster % 2).astype(float)
    y = rng.normal(size=10)[cluster] + rng.normal(size=60)
    fit = mixed_fit(y, np.column_stack([np.ones(60), arm]), [Factor(cluster, np.ones((60, 1)))])
    means = y.reshape(10, 6).mean(axis=1)
    treated, control = means[1::2], means[0::2]
    pooled = np.sqrt((treated.var(ddof=1) + control.var(ddof=1)) / 2)
    t = (treated.mean() - control.mean()) / (pooled * np.sqrt(2 / 5))
    for df in ("satterthwaite", "kenward-roger"):
        test = fit.contrasts(np.eye(2), df)[1]
        assert test.statistic == pytest.approx(t, rel=1e-7)
        assert test.df == pytest.approx(8, rel=1e-6)
        joint = fit.joint(np.eye(2)[1:], df)
        assert joint.statistic == pytest.approx(t**2, rel=1e-7)
        assert joint.p_value == pytest.approx(test.p_value, rel=1e-6)


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "one unit": (lambda: mixed_fit(Y, X, [Factor(np.zeros(N, int), ONE)]), "1 unit"),
    "no unit": (lambda: mixed_fit(Y, X, [Factor(np.full(N, -1), ONE)]), "0 units"),
    "a unit per row": (lambda: mixed_fit(Y, X, [Factor(np.arange(N), ONE)]), "cannot be told"),
    "missing outcome": (lambda: mixed_fit(np.where(TIME > 2, np.nan, Y), X, [Factor(ORG, ONE)]), "missing or infinite"),
    "infinite slope": (lambda: mixed_fit(Y, X, [Factor(ORG, ONE * np.inf)]), "missing or infinite"),
    "constant outcome": (lambda: mixed_fit(0 * Y, X, [Factor(ORG, ONE)]), "constant"),
    "repeated slopes": (lambda: mixed_fit(Y, X, [Factor(ORG, np.column_stack([AGE, 2 * AGE]))]), "repeat each other"),
    "unequal length": (lambda: mixed_fit(Y, X, [Factor(ORG[1:], ONE)]), "one row per outcome"),
    "the same in each unit": (lambda: mixed_fit(AGE[ORG], X, [Factor(ORG, ONE)]), "hardly differ"),
    "all but the same in each unit": (lambda: mixed_fit(AGE[ORG] + 1e-9 * Y, X, [Factor(ORG, ONE)]), "hardly differ"),
    "nothing random": (lambda: mixed_fit(Y, X, []), "no random term"),
    "kenward-roger with ml": (
        lambda: mixed_fit(Y, X, [Factor(ORG, ONE)], reml=False).contrasts(np.eye(3), "kenward-roger"),
        "REML",
    ),
    "dependent contrasts": (
        lambda: mixed_fit(Y, X, [Factor(ORG, ONE)]).joint(np.ones((2, 3))), "depend on each other",
    ),
    "repeated occasions": (
        lambda: mixed_fit(Y, X, [], residual=Residual(kind="ar1", unit=UNIT, occasion=0 * OCCASION)),
        "repeat the occasion",
    ),
    "weights and ar1": (
        lambda: mixed_fit(Y, X, [], residual=Residual(kind="ar1", unit=UNIT, occasion=OCCASION), weights=WEIGHTS),
        "cannot be combined",
    ),
    "a class of one row": (
        lambda: mixed_fit(
            Y, X, [Factor(ORG, ONE)], residual=Residual(kind="by_class", classes=np.eye(N, dtype=int)[0])
        ),
        "fewer than two rows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_fitted_is_refused_in_words(case: str) -> None:
    call, words = BAD[case]
    with pytest.raises(DesignError, match=words):
        call()


def test_aliased_columns_are_left_out_and_named() -> None:
    fit = mixed_fit(Y, np.column_stack([X, X[:, 1] + X[:, 2]]), [Factor(ORG, ONE)])
    assert fit.aliased == (3,)
    assert fit.log_likelihood == pytest.approx(mixed_fit(Y, X, [Factor(ORG, ONE)]).log_likelihood, abs=1e-9)
