"""How often the interval of a standardised effect holds the true one, and how far the estimate is off on average.

Every design of sweval that ends in Hedges' g is simulated with a known effect, in layouts as small as practice has
them, and goes through the functions that users call; standard errors and intraclass correlations are estimated wherever
users have to estimate them. Trials that need a mixed model are fitted by the engine behind `ClusterTrial`,
`PartiallyNested` and `Growth`, without the data frame around it. An effect moves the estimate and nothing else, so that
one set of simulated data serves all three true effects.

The table goes into docs/explain/effect_coverage.csv, which docs/explain/effect_coverage.md shows.

    python tests/simulation/effect_coverage.py --check    # 10,000 replications of every layout
    python tests/simulation/effect_coverage.py --replications 500 --only growth --out quick.csv

The numbers depend on seed and replications, not on the number of workers.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sweval.effects.adjusted_differences import adjusted_difference, growth_difference
from sweval.effects.clustered_differences import ClusterSizes, clustered_difference, partially_nested_difference
from sweval.effects.kernel import Standardized, standardize
from sweval.effects.mean_changes import (
    ArmChange,
    baseline_adjusted_difference,
    difference_of_changes,
    standardized_mean_change,
)
from sweval.effects.mean_differences import standardized_mean_difference
from sweval.effects.variance_components import pooled_sd_moments
from sweval.models.base.growth_model import fit_growth
from sweval.models.base.mixed_rows import inference_for, inference_of
from sweval.models.base.nested_variances import nested_variances
from sweval.models.base.repeated import Repeated
from sweval.models.base.roles import Roles
from sweval.models.base.rows import pooled_sd
from sweval.models.base.terms import Read
from sweval.models.engine.mixed.fit import mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.growth import contrast_test

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Array, Callable[[float], Standardized]]]

SEED = 20265
EFFECTS = (0.0, 0.5, 1.0)
"""True effects, in the unit of the design."""
TABLE = Path(__file__).resolve().parents[2] / "docs" / "explain" / "effect_coverage.csv"
LOW, HIGH, MOST_BIAS = 0.94, 0.96, 0.01


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One kind of study.

    Parameters
    ----------
    family, design, sizes
        What the table calls it.
    draw
        Simulates many studies without an effect: returns the error of each raw difference in units of the population's
        standard deviation (mean 0), and a function from the true effect to the standardised effects.
    fitted
        Whether every study needs a mixed model, which takes time.
    cautious
        Whether the variance between clusters is often estimated at zero, where `ClusterTrial` is careful on purpose
        (see docs/explain/error_rates.md): coverage may then lie above the bar.
    """

    family: str
    design: str
    sizes: str
    draw: Draw
    fitted: bool = False
    cautious: bool = False

    @property
    def name(self) -> str:
        return f"{self.family}: {self.design}, {self.sizes}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found for one layout and one true effect.

    Parameters
    ----------
    effect
        The true one.
    replications
        Simulated studies.
    coverage
        Share of 95 % intervals that hold the truth.
    bias, bias_error
        Mean of g less the truth, and its Monte Carlo standard error. The known mean of the raw differences (0) is used
        to make it precise.
    variance_ratio
        Mean of the reported variance over the variance of g.
    """

    effect: float
    replications: int
    coverage: float
    bias: float
    bias_error: float
    variance_ratio: float


def sd(part: Array) -> Array:
    return part.std(axis=1, ddof=1)


def mean(part: Array) -> Array:
    return part.mean(axis=1)


def pooled(*arms: Array) -> Array:
    """Return the standard deviation pooled within arms, per study."""
    squares = sum(((arm - arm.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for arm in arms)
    return np.sqrt(squares / sum(arm.shape[1] - 1 for arm in arms))


def two_groups(nt: int, nc: int, standardizer: str = "pooled", spread: float = 1.0) -> Draw:
    """Two groups measured once; the treated have `spread` times the control group's standard deviation."""

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        unit = np.sqrt((spread**2 + 1) / 2) if standardizer == "average" else 1.0
        t, c = rng.normal(0, spread, (runs, nt)), rng.normal(size=(runs, nc))
        b = mean(t) - mean(c)
        numbers = {"sd_treated": sd(t), "n_treated": nt, "sd_control": sd(c), "n_control": nc}
        return b / unit, lambda delta: standardized_mean_difference(
            b + delta * unit, **numbers, standardizer=standardizer
        )

    return draw


def waves(rng: np.random.Generator, runs: int, n: int, r: float, spread: float = 1.0) -> tuple[Array, Array]:
    """Return scores before and after of one arm, without change."""
    pre = rng.normal(size=(runs, n))
    return spread * pre, spread * (r * pre + np.sqrt(1 - r**2) * rng.normal(size=pre.shape))


def correlation(pre: Array, post: Array) -> Array:
    left, right = pre - pre.mean(axis=1, keepdims=True), post - post.mean(axis=1, keepdims=True)
    return (left * right).sum(axis=1) / np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))


def pre_post(n: int, r: float, standardizer: str = "pretest") -> Draw:
    """One group before and after, everything estimated; the numbers are those of `pre_post` on raw scores."""

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        pre, post = waves(rng, runs, n, r)
        b, unit = mean(post - pre), np.sqrt(2 * (1 - r)) if standardizer == "change" else 1.0
        numbers = {"sd_pre": sd(pre), "sd_post": sd(post), "n": n, "correlation": correlation(pre, post)}
        return b / unit, lambda delta: standardized_mean_change(b + delta * unit, **numbers, standardizer=standardizer)

    return draw


def changes(n: int, r: float, variant: str, spread: float = 1.0) -> Draw:
    """Two groups before and after; "raw" as `pre_post_control` does from raw scores, else from a report with r.

    With `spread` the treated differ from the control group before and after, as ppc1 allows.
    """

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        arms = [waves(rng, runs, n, r, spread), waves(rng, runs, n, r)]
        change = [post - pre for pre, post in arms]
        b = [mean(part) for part in change]
        if variant == "raw":
            s, nu = pooled(*(pre for pre, _ in arms)), 2 * n - 2
            kappa = pooled(*change) / s * np.sqrt(2 / n)
            return b[0] - b[1], lambda delta: standardize(b[0] - b[1] + delta, s, nu=nu, kappa=kappa, df=nu)
        reports = [{"sd_pre": sd(pre), "sd_post": sd(post), "n": n, "correlation": r} for pre, post in arms]
        return b[0] / spread - b[1], lambda delta: difference_of_changes(
            ArmChange(change=b[0] + delta * spread, **reports[0]),
            ArmChange(change=b[1], **reports[1]),
            variant=variant,
        )

    return draw


def ancova(n: int, r: float, covariate: str) -> Draw:
    """Analysis of covariance: `covariate` "raw" estimates all, "reported" takes the correlation, "did" subtracts d."""

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        (pre_t, post_t), (pre_c, post_c) = waves(rng, runs, n, r), waves(rng, runs, n, r)
        inside = [np.hstack([arm - arm.mean(axis=1, keepdims=True) for arm in wave])
                  for wave in ((pre_t, pre_c), (post_t, post_c))]  # fmt: skip
        gap, s = mean(pre_t) - mean(pre_c), pooled(post_t, post_c)
        if covariate == "did":
            numbers = [{"sd_treated": sd(t), "n_treated": n, "sd_control": sd(c), "n_control": n}
                       for t, c in ((pre_t, pre_c), (post_t, post_c))]  # fmt: skip
            before, b = standardized_mean_difference(gap, **numbers[0]), mean(post_t) - mean(post_c)
            return b - gap, lambda delta: baseline_adjusted_difference(
                standardized_mean_difference(b + delta, **numbers[1]), before, n_treated=n, n_control=n, correlation=r
            )
        square = (inside[0] ** 2).sum(axis=1)
        slope = (inside[0] * inside[1]).sum(axis=1) / square
        b = mean(post_t) - mean(post_c) - slope * gap
        rest = ((inside[1] - slope[:, None] * inside[0]) ** 2).sum(axis=1) / (2 * n - 3)
        more = {"std_error": np.sqrt(rest * (2 / n + gap**2 / square))} if covariate == "raw" else {"correlation": r}
        return b, lambda delta: adjusted_difference(b + delta, sd=s, n_treated=n, n_control=n, **more)

    return draw


def in_clusters(rng: np.random.Generator, runs: int, sizes: Sequence[int], icc: float) -> tuple[Array, Array]:
    """Return scores (studies, persons) with variance 1, and the cluster of every person."""
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    between = rng.normal(0, np.sqrt(icc), (runs, len(sizes)))
    return between[:, cluster] + rng.normal(0, np.sqrt(1 - icc), (runs, cluster.size)), cluster


def clusters(sizes_t: Sequence[int], sizes_c: Sequence[int], icc: float, scale: str) -> Draw:
    """Trials of whole clusters with a given intraclass correlation."""

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        sides = [in_clusters(rng, runs, sizes, icc) for sizes in (sizes_t, sizes_c)]
        counts = [np.array(sizes, dtype=float) for sizes in (sizes_t, sizes_c)]
        means = [
            np.stack([y[:, code == j].mean(axis=1) for j in range(len(n))], axis=1)
            for (y, code), n in zip(sides, counts, strict=True)
        ]
        inner = [y - m[:, code] for (y, code), m in zip(sides, means, strict=True)]
        left = sum((part**2).sum(axis=1) for part in inner)
        within = left / sum(n.sum() - n.size for n in counts)
        b = mean(sides[0][0]) - mean(sides[1][0])
        unit = {"total": 1.0, "within": np.sqrt(1 - icc), "between": np.sqrt(icc), "model": 1.0}[scale]
        if scale == "total":
            s = pooled(sides[0][0], sides[1][0])
        elif scale == "within":
            s = np.sqrt(within)
        elif scale == "between":
            b, s = mean(means[0]) - mean(means[1]), pooled(*means)
        else:  # analysis of variance, equal sizes
            n = counts[0][0]
            s = np.sqrt(pooled(*means) ** 2 + within * (1 - 1 / n))
        arms = [ClusterSizes.of(list(sizes)) for sizes in (sizes_t, sizes_c)]
        return b / unit, lambda delta: clustered_difference(
            b + delta * unit, sd=s, treated=arms[0], control=arms[1], icc=icc, scale=scale
        )

    return draw


def cluster_trial(sizes_t: Sequence[int], sizes_c: Sequence[int], icc: float, baseline: float = 0.0) -> Draw:
    """Trials of whole clusters as `ClusterTrial` analyses them: everything estimated.

    With `baseline` a covariate has this correlation with the outcome, within clusters and between them.
    """

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        y, cluster = in_clusters(rng, runs, [*sizes_t, *sizes_c], icc)
        before = in_clusters(rng, runs, [*sizes_t, *sizes_c], icc)[0]
        y = baseline * before + np.sqrt(1 - baseline**2) * y
        arm = (cluster < len(sizes_t)).astype(np.intp)
        one, X, L = np.ones((arm.size, 1)), np.column_stack([np.ones(arm.size), arm]), np.array([0.0, 1.0])
        rows = []
        for values, covariate in zip(y, before, strict=True):
            fit = mixed_fit(values, X, [Factor(cluster, one)])
            unit = pooled_sd_moments(
                arm, [cluster], [float(fit.covariances[0][0, 0])], residual=fit.residual_variances[0]
            )
            if baseline:
                fit = mixed_fit(values, np.column_stack([X, covariate]), [Factor(cluster, one)])
            df = inference_for(fit, int(cluster[-1]) + 1, "cluster", "satterthwaite").df or "kenward-roger"
            test = fit.contrasts(np.append(L, 0.0) if baseline else L, df)[0]
            rows.append((test.estimate, test.std_error, test.df, pooled_sd(values, arm == 1), unit.nu, unit.c))
        b, error, df, s, nu, c = np.array(rows).T
        return b, lambda delta: standardize(b + delta, s, nu=nu, kappa=c * error / s, df=df, c=c, separate=True)

    return draw


def partially_nested(groups: int, size: int, n_control: int, icc: float, model: str, *, fitted: bool) -> Draw:
    """Groups in the treated arm only; `model` is the true control variance. `fitted` as `PartiallyNested` does it."""

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        t, group = in_clusters(rng, runs, [size] * groups, icc)
        c = rng.normal(0, np.sqrt(1 - icc) if model == "within" else 1.0, (runs, n_control))
        if not fitted:
            b, s = mean(t) - mean(c), pooled(t, c)
            return b, lambda delta: partially_nested_difference(
                b + delta, sd=s, n_treated=groups * size, n_control=n_control, group_size=size, icc=icc,
                control_variance=model,
            )  # fmt: skip
        code = np.concatenate([group, np.full(n_control, -1)])
        arm = (code >= 0).astype(np.intp)
        one, X, L = np.ones((arm.size, 1)), np.column_stack([np.ones(arm.size), arm]), np.array([0.0, 1.0])
        rows = []
        for values in np.hstack([t, c]):
            fit = mixed_fit(values, X, [Factor(code, one)], residual=Residual(kind="by_class", classes=arm))
            df = inference_for(fit, groups, "group", "satterthwaite").df or "kenward-roger"
            test = fit.contrasts(L, df)[0]
            parts = nested_variances(
                values, arm, [("group", code)], control=model, fit=fit if model == "total" else None
            )
            inside = parts.residual
            outside = inside + (parts.factors[0] if model == "total" else 0.0)
            unit = pooled_sd_moments(
                arm, [code], parts.factors, residual=(outside, inside), target=sum(parts.factors) + inside
            )
            rows.append((test.estimate, test.std_error, test.df, pooled_sd(values, arm == 1), unit.nu, unit.c))
        b, error, df, s, nu, c_factor = np.array(rows).T
        return b, lambda delta: standardize(
            b + delta, s, nu=nu, kappa=c_factor * error / s, df=df, c=c_factor, separate=True
        )

    return draw


ROLES = Roles(where="Growth", arm="arm", treated="t", control="c", client="id", wave="wave")


def lines(rng: np.random.Generator, runs: int, n: int, count: int) -> Array:
    """Return scores (studies, clients, waves): own levels and slopes, variance 1.64 at the first wave."""
    own = rng.multivariate_normal([0, 0], [[1, 0.08], [0.08, 0.16]], (runs, 2 * n))
    noise = rng.normal(0, 0.8, (runs, 2 * n, count))
    return own[..., :1] + own[..., 1:] * np.arange(count) + noise


SPREAD = np.sqrt(1.64)


def growth(n: int, count: int) -> Draw:
    """Straight lines over `count` waves as `Growth` fits them."""

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        time, treated = np.arange(count), np.arange(2 * n) < n
        client, wave = np.divmod(np.arange(2 * n * count), count)
        sample: dict[str, Any] = {
            "wave": wave, "client": client, "labels": tuple(map(str, time)), "times": tuple(map(float, time)),
            "treated": treated, "cluster": None, "covariates": Read(numeric={}, coded={}, notes=()),
            "client_ids": [str(k) for k in range(2 * n)], "cluster_ids": [], "rows": client.size, "notes": (),
        }  # fmt: skip
        rows = []
        for y in lines(rng, runs, n, count):
            model = fit_growth(Repeated(y=y.ravel(), **sample), ROLES, linear=True)
            test = contrast_test(model, inference_of(model.fit, model.data.groupings, "satterthwaite"))
            rows.append((test.estimate, test.std_error, test.df, pooled_sd(y[:, 0], treated)))
        b, error, df, s = np.array(rows).T
        return b / SPREAD, lambda delta: standardize(
            b + delta * SPREAD, s, nu=2 * n - 2.0, kappa=error / s, df=df, separate=True
        )

    return draw


def reported_growth(n: int, count: int) -> Draw:
    """The same from a report: without missing waves its coefficient is the difference of the clients' mean slopes."""

    def draw(rng: np.random.Generator, runs: int) -> tuple[Array, Callable[[float], Standardized]]:
        y = lines(rng, runs, n, count)
        time, last = np.arange(count) - (count - 1) / 2, count - 1.0
        slopes = y @ time / (time**2).sum()
        b = mean(slopes[:, :n]) - mean(slopes[:, n:])
        error = pooled(slopes[:, :n], slopes[:, n:]) * np.sqrt(2 / n)
        numbers = {"std_error": error, "sd_pre": pooled(y[:, :n, 0], y[:, n:, 0]), "n_treated": n, "n_control": n}
        return b * last / SPREAD, lambda delta: growth_difference(b + delta * SPREAD / last, duration=last, **numbers)

    return draw


def layouts() -> list[Layout]:
    """Return all layouts, those that take long first."""

    def make(family: str, design: str, sizes: str, draw: Draw, fitted: bool = False, cautious: bool = False) -> Layout:
        return Layout(family=family, design=design, sizes=sizes, draw=draw, fitted=fitted, cautious=cautious)

    even, odd = ([10] * 3, [10] * 3), ([4, 9, 20], [5, 10, 25])
    uneven = ([15] * 4, [15] * 8)
    many = ([4, 6, 8, 10, 15, 30], [3, 5, 9, 12, 20, 26])
    return [
        make("growth", "Growth, all estimated", "20 + 20 clients, 4 waves", growth(20, 4), True),
        make("clusters", "ClusterTrial, all estimated, ICC .2", "3 + 3 of 10", cluster_trial(*even, 0.2), True),
        make("clusters", "ClusterTrial, all estimated, ICC .2", "3 + 3 of 4 to 25", cluster_trial(*odd, 0.2), True),
        make("clusters", "ClusterTrial, all estimated, ICC .1", "6 + 6 of 3 to 30", cluster_trial(*many, 0.1), True),
        make("clusters", "ClusterTrial, all estimated, ICC .2", "4 + 8 of 15", cluster_trial(*uneven, 0.2), True),
        make("clusters", "ClusterTrial, all estimated, ICC .05", "3 + 3 of 10", cluster_trial(*even, 0.05), True, True),
        make(
            "clusters", "ClusterTrial with a baseline (r = .6), all estimated, ICC .2", "4 + 4 of 10",
            cluster_trial([10] * 4, [10] * 4, 0.2, 0.6), True,
        ),
        *(
            make(
                "groups in one arm", f"PartiallyNested, all estimated, control variance: {model}",
                "8 groups of 6, 40 controls", partially_nested(8, 6, 40, 0.2, model, fitted=True), True,
            )
            for model in ("within", "total")
        ),
        make("growth", "coefficient, SE and sd from a report", "20 + 20 clients, 4 waves", reported_growth(20, 4)),
        make("growth", "coefficient, SE and sd from a report", "10 + 10 clients, 3 waves", reported_growth(10, 3)),
        make("two groups", "Hedges' g", "8 + 8", two_groups(8, 8)),
        make("two groups", "Hedges' g", "12 + 30", two_groups(12, 30)),
        make("two groups", "Glass' delta", "10 + 10", two_groups(10, 10, "control")),
        make("two groups", "Glass' delta", "30 + 8", two_groups(30, 8, "control")),
        make("two groups", "Glass' delta, treated spread 2", "15 + 12", two_groups(15, 12, "control", 2.0)),
        make("two groups", "average variance, treated spread 2", "10 + 15", two_groups(10, 15, "average", 2.0)),
        make("two groups", "average variance, treated spread 1/2", "10 + 15", two_groups(10, 15, "average", 0.5)),
        make("change", "unit before", "10, r = .6", pre_post(10, 0.6)),
        make("change", "unit before", "25, r = .3", pre_post(25, 0.3)),
        make("change", "average unit", "10, r = .6", pre_post(10, 0.6, "average")),
        make("change", "unit of the change", "10, r = .6", pre_post(10, 0.6, "change")),
        make("change, two groups", "ppc2, raw scores", "8 + 8, r = .6", changes(8, 0.6, "raw")),
        make("change, two groups", "ppc2, raw scores", "20 + 20, r = .8", changes(20, 0.8, "raw")),
        make("change, two groups", "ppc2, r given", "8 + 8, r = .6", changes(8, 0.6, "ppc2")),
        make("change, two groups", "ppc1, treated spread 1.5", "10 + 10, r = .6", changes(10, 0.6, "ppc1", 1.5)),
        make("change, two groups", "ppc3, r given", "8 + 8, r = .6", changes(8, 0.6, "ppc3")),
        make("adjusted", "analysis of covariance, raw scores", "8 + 8, r = .6", ancova(8, 0.6, "raw")),
        make("adjusted", "analysis of covariance, r given", "8 + 8, r = .6", ancova(8, 0.6, "reported")),
        make("adjusted", "effect less that before", "15 + 15, r = .6", ancova(15, 0.6, "did")),
        *(
            make("clusters", f"{unit} unit, ICC .2 given", f"{m} + {m} of 10", clusters([10] * m, [10] * m, 0.2, unit))
            for unit, m in (("total", 3), ("within", 3), ("between", 5), ("model", 6))
        ),
        make("clusters", "total unit, ICC .2 given", "3 + 3 of 4 to 25", clusters(*odd, 0.2, "total")),
        make("clusters", "within unit, ICC .2 given", "3 + 3 of 4 to 25", clusters(*odd, 0.2, "within")),
        make("clusters", "between unit, ICC .2 given", "6 + 6 of 3 to 30", clusters(*many, 0.2, "between")),
        *(
            make(
                "groups in one arm", f"ICC .2 given, control variance: {model}", "6 groups of 8, 40 controls",
                partially_nested(6, 8, 40, 0.2, model, fitted=False),
            )
            for model in ("within", "total")
        ),
    ]  # fmt: skip


def simulated(layout: Layout, replications: int) -> list[Found]:
    """Return what is found at every true effect, from a stream of random numbers of the layout's own."""
    rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(zlib.crc32(layout.name.encode()),)))
    error, effect = layout.draw(rng, replications)
    return [found(effect(delta), error, delta) for delta in EFFECTS]


def found(effect: Standardized, error: Array, delta: float) -> Found:
    """Return coverage and bias; the mean of `error` is known to be 0, so what chance made of it is taken off."""
    covered = (effect.conf_low <= delta) & (delta <= effect.conf_high)
    slope = np.cov(effect.g, error)[0, 1] / error.var(ddof=1)
    off = effect.g - delta - slope * error
    return Found(
        effect=delta,
        replications=error.size,
        coverage=float(covered.mean()),
        bias=float(off.mean()),
        bias_error=float(off.std(ddof=1) / np.sqrt(error.size)),
        variance_ratio=float(effect.variance.mean() / effect.g.var(ddof=1)),
    )


def misses(one: Found, *, cautious: bool = False) -> str:
    """Return the bars that are missed by more than three Monte Carlo standard errors."""
    reach = 3 * np.sqrt(0.95 * 0.05 / one.replications)
    out = []
    if not LOW - reach <= one.coverage <= (1.0 if cautious else HIGH + reach):
        out.append(f"coverage {one.coverage:.4f}")
    if abs(one.bias) > MOST_BIAS + 3 * one.bias_error:
        out.append(f"bias {one.bias:+.4f}")
    return ", ".join(out)


def run(chosen: Sequence[int], replications: int, workers: int, out: Path) -> dict[int, list[Found]]:
    """Simulate the layouts in processes with one thread each; the table is written anew after every layout."""
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    done: dict[int, list[Found]] = {}
    with (
        ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool,
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("layouts", total=len(chosen))
        jobs = {pool.submit(numbered, number, replications): number for number in chosen}
        for job in as_completed(jobs):
            done[jobs[job]] = job.result()
            write(done, out)
            progress.advance(task)
    return done


def numbered(number: int, replications: int) -> list[Found]:
    """Simulate one layout; functions that hold data cannot travel between processes, numbers can."""
    return simulated(layouts()[number], replications)


def write(done: dict[int, list[Found]], out: Path) -> None:
    """Write the table, by family, with the bars that are missed."""
    every = layouts()
    order = list(dict.fromkeys(layout.family for layout in reversed(every)))
    rows = [
        {"family": every[number].family, "design": every[number].design, "sizes": every[number].sizes}
        | {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(one).items()}
        | {"misses": misses(one, cautious=every[number].cautious)}
        for number, results in sorted(done.items(), key=lambda item: (order.index(every[item[0]].family), item[0]))
        for one in results
    ]
    with out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> int:
    """Run the simulation from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--replications", type=int, default=10_000, help="simulated studies per layout")
    parser.add_argument("--only", default="", help="only layouts whose name holds this")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--out", type=Path, default=TABLE, help="table to write")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a layout misses its bar")
    given = parser.parse_args()
    every = layouts()
    chosen = [number for number, layout in enumerate(every) if given.only in layout.name]
    done = run(chosen, given.replications, given.workers, given.out)
    bad = [
        f"{every[number].name}, effect {one.effect}: {words}"
        for number, results in sorted(done.items())
        for one in results
        if (words := misses(one, cautious=every[number].cautious))
    ]
    for words in bad:
        print(words, file=sys.stderr)
    print(f"{3 * len(done) - len(bad)} of {3 * len(done)} cells hold their bars.", file=sys.stderr)
    return 1 if given.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
