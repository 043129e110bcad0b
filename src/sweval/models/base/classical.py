"""t tests of a least squares fit with independent errors of equal variance."""

from __future__ import annotations

from sweval.models.engine.ols import LeastSquares, two_sided_p
from sweval.models.engine.sandwich import ContrastTest


def classical_tests(fit: LeastSquares) -> tuple[ContrastTest, ...]:
    """Return the t test of every coefficient, n - p degrees of freedom."""
    return tuple(
        t_test(float(estimate), float(error), float(fit.df))
        for estimate, error in zip(fit.coefficients, fit.standard_errors(), strict=True)
    )


def t_test(estimate: float, error: float, df: float) -> ContrastTest:
    """Return a two-sided t test against 0."""
    statistic = estimate / error
    return ContrastTest(
        estimate=estimate, std_error=error, df=df, statistic=statistic, p_value=two_sided_p(statistic, df)
    )
