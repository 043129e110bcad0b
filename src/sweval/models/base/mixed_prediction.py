"""Predictions, residuals, random effects and explained variance of a fitted mixed model."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from sweval.errors import DesignError, SwevalWarning, did_you_mean
from sweval.frames import require_columns, wrap
from sweval.models.base.mixed_design import Array, MixedDesign, design_columns, row_labels
from sweval.models.base.rows import Facts
from sweval.models.base.values import counted
from sweval.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from sweval.models.engine.mixed.fit import MixedFit

KINDS = ("conditional", "marginal", "standardized")
_WHERE = "predict"
_EFFECT_COLUMNS = {
    "factor": "object", "unit": "object", "term": "object", "estimate": "float64", "std_error": "float64",
}  # fmt: skip


def fitted_values(fit: MixedFit, *, random: bool) -> Array:
    """Return the fitted values of the rows used, shape (n,), with or without the random effects."""
    from sweval.models.engine.mixed.modes import random_effects as modes_of

    out: Array = fit.X @ fit.coefficients
    if random:
        for factor, modes in zip(fit.factors, modes_of(fit), strict=True):
            has = factor.codes >= 0
            out[has] += (factor.Z[has] * modes.effects[factor.codes[has]]).sum(axis=1)
    return out


def residual_sds(fit: MixedFit) -> Array:
    """Return the residual standard deviation of every row, shape (n,)."""
    residual = fit.residual
    if residual.kind == "by_class" and residual.classes is not None:
        variances = np.asarray(fit.residual_variances)[residual.classes]
    elif fit.residual_covariance is not None and residual.occasion is not None:
        place = np.unique(residual.occasion, return_inverse=True)[1].reshape(-1)
        variances = np.diag(fit.residual_covariance)[place]
    else:
        variances = np.full(fit.n, fit.residual_variances[0])
    return np.sqrt(variances if fit.weights is None else variances / fit.weights)


def predict(fit: MixedFit, design: MixedDesign, outcome: str, frame: Any, *, random: bool) -> pd.Series:
    """Return predictions for the rows used, or for new rows; see `MixedResult.predict`."""
    import pandas as pd

    if frame is None:
        return pd.Series(fitted_values(fit, random=random), index=_used(design), name=outcome)
    if random:  # every absent column is an error before the first warning
        groups = [column for part in design.random for column in part.columns]
        require_columns(wrap(frame), [*design.columns(), *groups], where=_WHERE)
    numeric, codes, complete = design.values(frame, where=_WHERE)
    rows = len(complete)
    out: Array = design.fixed(numeric, codes, rows)[:, list(fit.kept)] @ fit.coefficients
    if random:
        from sweval.models.engine.mixed.modes import random_effects as modes_of

        for part, modes in zip(design.random, modes_of(fit), strict=True):
            Z = design_columns(part.names, part.terms, design.levels, (numeric, codes), rows)
            units = design.unit_codes(part, frame, where=_WHERE)
            has = units >= 0
            out[has] += (Z[has] * modes.effects[units[has]]).sum(axis=1)
            strange = int((complete & ~has & (Z != 0).any(axis=1)).sum())
            if strange:
                verb = "belongs" if strange == 1 else "belong"
                warnings.warn(
                    f'{counted(strange, "row")} {verb} to no "{part.name}" that the model has seen; there the value of '
                    f'an average "{part.name}" is given. known_units() shows which rows.',
                    SwevalWarning,
                    stacklevel=3,
                )
    out[~complete] = np.nan
    return pd.Series(out, index=_new(frame, rows), name=outcome)


def known_units(design: MixedDesign, frame: Any) -> pd.DataFrame:
    """Return for every row whether the model knows its units; see `MixedResult.known_units`."""
    import pandas as pd

    where = "known_units"
    known = {
        part.name: (design.unit_codes(part, frame, where=where) >= 0) | design.idle(part, frame, where=where)
        for part in design.random
    }
    out = pd.DataFrame(known)
    out.index = _new(frame, len(out))
    return out


def _used(design: MixedDesign) -> pd.Index:
    """Return the labels of the rows used, or their numbers."""
    import pandas as pd

    return pd.Index(design.rows, name="row") if design.index is None else design.index


def _new(frame: Any, rows: int) -> pd.Index:
    """Return the labels of new rows, or their numbers."""
    import pandas as pd

    labels = row_labels(frame)
    return pd.RangeIndex(rows, name="row") if labels is None else labels


def residuals(fit: MixedFit, design: MixedDesign, outcome: str, kind: str) -> pd.Series:
    """Return the residuals of the rows used; see `MixedResult.residuals`."""
    import pandas as pd

    if kind not in KINDS:
        raise DesignError(f'kind="{kind}" is unknown.', where="residuals", fix=did_you_mean(kind, KINDS))
    left = fit.y - fitted_values(fit, random=kind != "marginal")
    if kind == "standardized":
        left = left / residual_sds(fit)
    return pd.Series(left, index=_used(design), name=outcome)


def random_effects(fit: MixedFit, design: MixedDesign) -> pd.DataFrame:
    """Return all random effects; see `MixedResult.random_effects`."""
    import pandas as pd

    from sweval.models.engine.mixed.modes import random_effects as modes_of

    blocks = [pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _EFFECT_COLUMNS.items()})]
    for part, modes in zip(design.random, modes_of(fit), strict=True):
        units = ["/".join(key) for key in zip(*part.keys, strict=True)]
        errors = np.sqrt(np.clip(np.diagonal(modes.variances, axis1=1, axis2=2), 0, None))
        q = len(part.names)
        blocks.append(
            pd.DataFrame(
                {
                    "factor": pd.Series([part.name] * (len(units) * q), dtype="object"),
                    "unit": pd.Series(np.repeat(np.array(units, dtype=object), q), dtype="object"),
                    "term": pd.Series(list(part.names) * len(units), dtype="object"),
                    "estimate": modes.effects.ravel(),
                    "std_error": errors.ravel(),
                }
            )
        )
    return pd.concat(blocks[1:] or blocks, ignore_index=True)


def r_squared(fit: MixedFit, facts: Facts) -> Result:
    """Return marginal and conditional R2; see `MixedResult.r_squared`."""
    fixed = float(np.var(fit.X @ fit.coefficients, ddof=1))
    between = 0.0
    for factor, covariance in zip(fit.factors, fit.covariances, strict=True):
        Z = factor.Z[factor.codes >= 0]
        between += float(np.einsum("na,ab,nb->", Z, covariance, Z, optimize=True)) / fit.n
    total = fixed + between + float(np.mean(residual_sds(fit) ** 2))
    source = "Nakagawa & Schielzeth 2013, random slopes as Johnson 2014"
    return Result(
        estimates=(
            facts.row("fixed effects", "r_squared_marginal", fixed / total, method=source),
            facts.row("fixed and random effects", "r_squared_conditional", (fixed + between) / total, method=source),
        )
    )
