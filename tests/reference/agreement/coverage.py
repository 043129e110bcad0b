"""How often 95 % intervals of agreement hold the true value with few units: prints the table of coverage.csv.

Two ways of making ratings: with a chance `cause` raters agree for a reason and otherwise pick by the margins, or they
round a noisy common value. The true value is that of 400,000 units. Run: python coverage.py > coverage.csv
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sweval.scoring import agreement_chance as chance
from sweval.scoring import agreement_icc as icc
from sweval.scoring import agreement_spread as spread

DRAWS = 2000


def by_cause(rng: np.random.Generator, n: int, raters: int, cause: float, margins: list[float]) -> np.ndarray:
    ratings = rng.choice(len(margins), (n, raters), p=margins)
    same = rng.random(n) < cause
    ratings[same] = ratings[same, :1]
    return ratings


def rounded(rng: np.random.Generator, n: int, raters: int, share: float, cuts: list[float]) -> np.ndarray:
    value = np.sqrt(share) * rng.normal(size=(n, 1)) + np.sqrt(1 - share) * rng.normal(size=(n, raters))
    return np.searchsorted(cuts, value)


def coefficient(kind: str, ratings: np.ndarray, size: int) -> chance.Coefficient:
    values = np.arange(1.0, size + 1)
    if kind.startswith("kappa"):
        return chance.conger_kappa(ratings, chance.agreement_weights(values, kind.partition("_")[2] or "unweighted"))
    counts = chance.category_counts(ratings, size)
    if kind == "fleiss":
        return chance.fleiss_kappa(counts, np.eye(size))
    if kind == "gwet_ac1":
        return chance.gwet_ac(counts, np.eye(size))
    if kind == "gwet_ac2_quadratic":
        return chance.gwet_ac(counts, chance.agreement_weights(values, "quadratic"))
    return chance.krippendorff_alpha(counts, values, kind.removeprefix("alpha_"))


def cover(make: Callable[..., np.ndarray], args: tuple, kind: str, size: int, n: int, raters: int) -> str:
    rng = np.random.default_rng(20260101)
    true = coefficient(kind, make(rng, 400_000, raters, *args), size).estimate
    held = below = above = none = perfect = 0
    width = 0.0
    for _ in range(DRAWS):
        found = coefficient(kind, make(rng, n, raters, *args), size)
        estimate = found.estimate
        if np.isnan(estimate):
            none += 1
            continue
        if estimate > 1 - 1e-12:
            perfect += 1
            low, high = spread.perfect_interval(n, found.expected, 0.95)
        else:
            left_out = spread.leave_one_out(found)
            error = 0.0 if np.isnan(left_out).any() else spread.jackknife_error(left_out)
            if not error > 1e-12 or estimate < -1 + 1e-12:
                none += 1
                continue
            low, high = spread.fisher_interval(estimate, error, n - 1, 0.95)
        held, below, above = held + (low <= true <= high), below + (high < true), above + (low > true)
        width += high - low
    given = DRAWS - none
    return (
        f"{kind},{make.__name__},{n},{raters},{size},{true:.3f},{held / given:.3f},{below / given:.3f},"
        f"{above / given:.3f},{width / given:.2f},{perfect / DRAWS:.3f},{none / DRAWS:.3f}"
    )


def cover_icc(n: int, raters: int, level: float) -> list[str]:
    """Two-way random effects: absolute agreement .6 / (.6 + level + .4 - level) = .6."""
    rng = np.random.default_rng(20260101)
    forms = {"icc_1_1": icc.one_rater_one_way, "icc_2_1": icc.one_rater_agreement, "icc_3_1": icc.one_rater_consistency}
    truth = {"icc_2_1": 0.6, "icc_3_1": 0.6 / (1 - level)}
    held = dict.fromkeys(forms, 0)
    own = general = 0
    for _ in range(DRAWS):
        raw = (
            np.sqrt(0.6) * rng.normal(size=(n, 1))
            + np.sqrt(level) * rng.normal(size=(1, raters))
            + np.sqrt(0.4 - level) * rng.normal(size=(n, raters))
        )
        ms = icc.mean_squares(raw)
        for name, value in truth.items():
            found = forms[name](ms, 0.95)
            held[name] += found.low <= value <= found.high
        single = icc.one_rater_agreement(ms, 0.95).estimate
        limits = icc.agreement_limits(ms, icc.agreement_df(ms, icc.step_up(single, raters)), 0.95)
        own += limits[0] <= 0.6 <= limits[1]
        general += 0.025 <= icc.generalized_pivot(ms)(0.6) <= 0.975  # the same as: the limits hold .6
        flat = np.sqrt(0.6) * rng.normal(size=(n, 1)) + np.sqrt(0.4) * rng.normal(size=(n, raters))
        found = icc.one_rater_one_way(icc.mean_squares(flat), 0.95)
        held["icc_1_1"] += found.low <= 0.6 <= found.high
    held |= {"icc_2_1_generalized": general, "icc_2_k with the df of irr": own}
    made = f"raters' share {level:g}"
    return [f"{name},{made},{n},{raters},,,{count / DRAWS:.3f},,,,," for name, count in held.items()]


def cover_bootstrap(kind: str, n: int, raters: int, scale: tuple, studies: int = 500, draws: int = 500) -> str:
    """The percentile interval of bootstrap samples of units, for comparison."""
    rng = np.random.default_rng(20260101)
    true = coefficient(kind, rounded(rng, 400_000, raters, *scale), 5).estimate
    held = given = 0
    for _ in range(studies):
        found = coefficient(kind, rounded(rng, n, raters, *scale), 5)
        if 1 - found.estimate > 1e-12:
            low, high = np.nanquantile(spread.bootstrap_draws(found, draws, rng), [0.025, 0.975])
            held, given = held + (low <= true <= high), given + 1
    return f"{kind} bootstrap,rounded,{n},{raters},5,{true:.3f},{held / given:.3f},,,,,"


def main() -> None:
    print("kind,made,units,raters,categories,true,coverage,too_low,too_high,width,perfect,no_interval")
    two, rare, five = (0.6, [0.5, 0.5]), (0.7, [0.15, 0.85]), (0.6, [0.1, 0.2, 0.3, 0.25, 0.15])
    scale = (0.7, [-1.0, -0.3, 0.3, 1.0])
    for n in (8, 12, 20, 40):
        for raters in (2, 4):
            for kind in ("kappa", "fleiss", "gwet_ac1"):
                for args in (two, rare, five):
                    print(cover(by_cause, args, kind, len(args[1]), n, raters), flush=True)
            for kind in ("kappa_linear", "kappa_quadratic", "gwet_ac2_quadratic"):
                print(cover(rounded, scale, kind, 5, n, raters), flush=True)
            for level in ("nominal", "ordinal", "interval", "ratio"):
                print(cover(rounded, scale, f"alpha_{level}", 5, n, raters), flush=True)
            for level in ("nominal", "ordinal"):
                print(cover_bootstrap(f"alpha_{level}", n, raters, scale), flush=True)
            for level in (0.0, 0.1, 0.3):
                print("\n".join(cover_icc(n, raters, level)), flush=True)


if __name__ == "__main__":
    main()
