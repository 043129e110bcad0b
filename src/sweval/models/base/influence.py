"""What a mixed model rests on: fits without each unit of a factor in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.mixed_design import Array, MixedDesign

if TYPE_CHECKING:
    import pandas as pd

    from sweval.models.engine.mixed.fit import MixedFit


def influence(fit: MixedFit, design: MixedDesign, factor: str | None) -> pd.DataFrame:
    """Return Cook's distance and the change of every coefficient by unit; see `MixedResult.influence`."""
    import pandas as pd

    number = _chosen(design, factor)
    part, codes = design.random[number], np.asarray(fit.factors[number].codes)
    names = [design.names[k] for k in fit.kept]
    changes = np.full((part.units, len(names)), np.nan)
    for unit in range(part.units):
        changes[unit] = _without(fit, codes != unit)
    inverse = np.linalg.inv(fit.covariance)
    distances = np.einsum("ua,ab,ub->u", changes, inverse, changes) / len(names)
    counts = np.bincount(codes[codes >= 0], minlength=part.units)
    units = pd.Series(["/".join(key) for key in zip(*part.keys, strict=True)], dtype="object")
    found = {"unit": units, "rows": counts, "cooks_distance": distances}
    return pd.DataFrame(found | {name: changes[:, k] for k, name in enumerate(names)})


def _chosen(design: MixedDesign, factor: str | None) -> int:
    """Return the number of the factor; by default the one with the fewest units."""
    known = [part.name for part in design.random]
    if not known:
        raise DesignError("the model has no grouping factor.", where="influence")
    if factor is None:
        return int(np.argmin([part.units for part in design.random]))
    if factor not in known:
        raise DesignError(
            f'"{factor}" is no grouping factor of the model.', where="influence", fix=did_you_mean(factor, known)
        )
    return known.index(factor)


def _without(fit: MixedFit, keep: NDArray[np.bool_]) -> Array:
    """Return the change of the coefficients when only some rows are kept; NaN for those that are lost."""
    from sweval.models.engine.mixed.fit import mixed_fit
    from sweval.models.engine.mixed.model import Factor, Residual

    def part(values: NDArray[np.integer] | None) -> NDArray[np.integer] | None:
        return None if values is None else values[keep]

    out = np.full(len(fit.coefficients), np.nan)
    residual = Residual(
        kind=fit.residual.kind,
        classes=part(fit.residual.classes),
        unit=part(fit.residual.unit),
        occasion=part(fit.residual.occasion),
    )
    factors = [Factor(f.codes[keep], f.Z[keep], f.covariance) for f in fit.factors]
    weights = None if fit.weights is None else fit.weights[keep]
    try:
        again = mixed_fit(fit.y[keep], fit.X[keep], factors, residual=residual, weights=weights, reml=fit.reml)
    except DesignError:  # without this unit the model cannot be fitted at all
        return out
    kept = list(again.kept)
    if len(kept) == len(out):  # else the coefficients that are left mean something else
        out[kept] = again.coefficients - fit.coefficients[kept]
    return out
