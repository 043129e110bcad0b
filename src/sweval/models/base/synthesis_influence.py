"""What a synthesis rests on: weights, fits without each study in turn, and the evidence as it came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.synthesis_fit import Fitted, fit_working_model
from sweval.models.base.synthesis_model import part_of
from sweval.models.base.synthesis_rows import Target, quantile
from sweval.models.base.values import is_number, label_key, numbers
from sweval.models.engine.meta.multilevel import MultilevelFit
from sweval.models.engine.ols import Array

if TYPE_CHECKING:
    import pandas as pd


def effect_weights(fitted: Fitted, weights: Array) -> Array:
    """Return the weight of every effect in a combination of coefficients, shape (k,)."""
    model, X = fitted.model, fitted.encoded.X[:, list(fitted.model.kept)]
    if not isinstance(model, MultilevelFit):
        W = 1 / (fitted.effects.v + model.tau2)
        inverse = np.linalg.inv(X.T @ (W[:, None] * X))
        return np.asarray(W * (X @ (inverse @ weights)), dtype=float)
    out = np.empty(len(X))
    for batch in model.batches:
        WX = np.linalg.solve(model.totals(batch), X[batch.rows])
        out[batch.rows] = WX @ (model.covariance @ weights)
    return out


def effects_frame(fitted: Fitted, targets: Sequence[Target], conf_level: float) -> pd.DataFrame:
    """Return one row per effect; see `SynthesisResult.effects`."""
    import pandas as pd

    effects = fitted.effects
    X = fitted.encoded.X[:, list(fitted.model.kept)]
    error = np.sqrt(effects.v)
    reach = quantile(np.inf, conf_level) * error
    weight = np.zeros(len(error))
    for target in targets:
        own = effect_weights(fitted, target.weights)
        level = np.ones(len(own), dtype=bool)
        if target.column is not None:
            level = np.array([label_key(value) == target.level for value in effects.table[target.column]])
        weight[level] = 100 * own[level]
    return pd.DataFrame(
        {
            "study": [effects.studies[code] for code in effects.study],
            "row": effects.positions,
            "estimate": effects.y,
            "variance": effects.v,
            "std_error": error,
            "conf_low": effects.y - reach,
            "conf_high": effects.y + reach,
            "weight": weight,
            "fitted": X @ fitted.model.coefficients,
        }
    )


def refit(fitted: Fitted, keep: NDArray[np.bool_]) -> Fitted | None:
    """Return the model of some of the effects; None where they do not identify it."""
    part, plan = part_of(fitted.effects, fitted.plan, keep)
    encoded = replace(fitted.encoded, X=fitted.encoded.X[keep])
    try:
        again = fit_working_model(part, encoded, plan)
    except DesignError:
        return None
    return again if again.model.kept == fitted.model.kept else None


def leave_one_out(fitted: Fitted, targets: Sequence[Target], conf_level: float) -> pd.DataFrame:
    """Return the means without each study in turn; see `SynthesisResult.leave_one_out`."""
    import pandas as pd

    effects, lines = fitted.effects, []
    for code, name in enumerate(effects.studies):
        again = refit(fitted, effects.study != code)
        for target in targets:
            lines.append(
                {"study": name, "effects": int((effects.study == code).sum()), "term": target.term}
                | _mean_columns(again, target.weights, conf_level)
            )
    return pd.DataFrame(lines)


def _mean_columns(fitted: Fitted | None, weights: Array, conf_level: float) -> dict[str, float]:
    """Return estimate, interval and test of a mean, and the variance of true effects; NaN where there is no model."""
    names = ("estimate", "std_error", "conf_low", "conf_high", "df", "p_value", "tau2")
    if fitted is None:
        return dict.fromkeys(names, np.nan)
    test = fitted.tests(weights[None, :])[0]
    reach = np.nan if np.isnan(test.df) else quantile(test.df, conf_level) * test.std_error
    tau2 = fitted.spread() if fitted.plan.model != "SCE" else np.nan
    found = (test.estimate, test.std_error, test.estimate - reach, test.estimate + reach, test.df, test.p_value, tau2)
    return dict(zip(names, found, strict=True))


def influence(fitted: Fitted) -> pd.DataFrame:
    """Return how much each study moves the coefficients; see `SynthesisResult.influence`."""
    import pandas as pd

    effects, b = fitted.effects, fitted.model.coefficients
    changes = np.full((len(effects.studies), len(b)), np.nan)
    tau2 = np.full(len(effects.studies), np.nan)
    for code in range(len(effects.studies)):
        again = refit(fitted, effects.study != code)
        if again is not None:
            changes[code] = b - again.model.coefficients
            tau2[code] = again.spread() if fitted.plan.model != "SCE" else np.nan
    distance = np.einsum("ja,ab,jb->j", changes, np.linalg.inv(fitted.model.covariance), changes)
    found: dict[str, object] = {
        "study": list(effects.studies),
        "effects": np.bincount(effects.study),
        "cooks_distance": distance,
        "tau2": tau2,
    }
    return pd.DataFrame(found | {name: changes[:, k] for k, name in enumerate(fitted.names)})


def cumulative(fitted: Fitted, targets: Sequence[Target], by: str, conf_level: float) -> pd.DataFrame:
    """Return the mean after each study in the order of a column; see `SynthesisResult.cumulative`."""
    import pandas as pd

    effects = fitted.effects
    if by not in effects.table:
        raise DesignError(f'there is no column "{by}".', fix=did_you_mean(by, list(effects.table.columns)))
    if not is_number(effects.table[by]):
        raise DesignError(f'"{by}" holds no numbers, so it gives studies no order.', fix="Name a year or a size.")
    if len(targets) != 1:
        raise DesignError("the evidence is followed for one mean.", fix="Fit without categorical moderators.")
    values = numbers(effects.table[by], where="cumulative")[0]
    first = np.array([values[effects.study == code].min() for code in range(len(effects.studies))])
    if not np.isfinite(first).all():
        raise DesignError(f'{int((~np.isfinite(first)).sum())} studies have no value in "{by}".')
    lines = []
    order = np.argsort(first, kind="stable")
    for count in range(2, len(order) + 1):
        keep = np.isin(effects.study, order[:count])
        again = refit(fitted, keep)
        lines.append(
            {by: first[order[count - 1]], "added": effects.studies[order[count - 1]], "studies": count,
             "effects": int(keep.sum())}
            | _mean_columns(again, targets[0].weights, conf_level)
        )  # fmt: skip
    return pd.DataFrame(lines)
