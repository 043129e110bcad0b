"""Mixed models of growth: how clients and clusters may differ, and what is done where the data cannot show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.base.grouping import Grouping
from sweval.models.base.mixed_data import MixedData
from sweval.models.base.mixed_design import MixedDesign, RandomPart
from sweval.models.base.random_terms import factor_name
from sweval.models.base.repeated import Repeated
from sweval.models.base.roles import Roles
from sweval.models.base.terms import Read, Term, term_columns
from sweval.models.base.values import counted, label_key
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual

Array = NDArray[np.float64]
Kind = Literal["unstructured", "compound_symmetry", "ar1"]

MOST_UNSTRUCTURED = 8
"""With more waves the covariances of every pair of waves are too many."""
_FEWEST_SLOPES = 3
_DEPENDENT = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class GrowthFit:
    """A fitted model of growth.

    Parameters
    ----------
    fit
        Of the engine.
    data
        What was fitted, in the words of the data.
    contrast
        Contrast of the kept coefficients: how much more the treated changed from the baseline to the last wave.
    within
        How the waves of a client hang together, in words.
    notes
        What was simplified, and why.
    """

    fit: MixedFit
    data: MixedData
    contrast: Array
    within: str
    notes: tuple[str, ...]


def fit_growth(sample: Repeated, roles: Roles, *, linear: bool) -> GrowthFit:
    """Fit the model that the shape asks for, or the nearest that the waves can show.

    Parameters
    ----------
    sample
        The rows.
    roles
        Names of the columns and labels of the arms.
    linear
        Growth along a line with an own level and slope of every client; else one mean for every wave and residuals
        that correlate within the client.

    Raises
    ------
    DesignError
        If the arms cannot be told apart at the last wave.
    """
    if linear:
        deep = int((sample.seen.sum(axis=1) > 2).sum())
        if deep >= _FEWEST_SLOPES:
            return _fitted(sample, roles, linear=True, kind=None, notes=())
        why = (
            f'{counted(deep, "client")} of "{roles.client}" {"has" if deep == 1 else "have"} values at three waves or '
            "more, too few to tell a client's own slope from chance variation."
        )
        return _by_wave(sample, roles, linear=True, why=why)
    return _by_wave(sample, roles, linear=False, why="")


def departure(found: GrowthFit, sample: Repeated) -> float | None:
    """Return the p-value of the test that both arms follow straight lines; None where there is no such test.

    The waves between the first and the last get a mean of their own in each arm; the joint test is that of their
    departure from the lines.
    """
    between = sample.wave[:, None] == np.arange(1, len(sample.labels) - 1)
    if not between.shape[1]:
        return None
    own = between & sample.treated[sample.client][:, None]
    data, columns = found.data, len(found.fit.kept)
    X = np.column_stack([found.fit.X, between, own])
    try:
        fit = mixed_fit(data.y, X, data.factors, residual=data.residual)
        L = np.eye(len(fit.kept))[[k for k, column in enumerate(fit.kept) if column >= columns]]
        test = fit.joint(L, "kenward-roger" if fit.any_singular else "satterthwaite")
    except DesignError:
        return None
    return test.p_value if np.isfinite(test.p_value) else None


def _by_wave(sample: Repeated, roles: Roles, *, linear: bool, why: str) -> GrowthFit:
    """Fit with unstructured residuals within clients; where they are too many, with the better of two simple forms."""
    said = (f"{why} How waves hang together is estimated for every pair of waves instead.",) if why else ()
    count = len(sample.labels)
    pairs = sample.seen.astype(np.int64)
    together = int((pairs.T @ pairs).min())
    if count > MOST_UNSTRUCTURED:
        reason = f"{count} waves are more than {MOST_UNSTRUCTURED}"
    elif together < count + 2:
        reason = f"some two waves have only {counted(together, 'client')} in common, and {count + 2} are needed"
    else:
        found = _fitted(sample, roles, linear=linear, kind="unstructured", notes=said)
        if _identified(found.fit):
            return found
        reason = "the data do not tell all of them"
    fits = [_fitted(sample, roles, linear=linear, kind=kind, notes=()) for kind in ("compound_symmetry", "ar1")]
    best = max(fits, key=lambda found: found.fit.log_likelihood)
    note = (
        f"A variance for every wave and a correlation for every pair of waves cannot be estimated: {reason}. One "
        f"variance and {best.within} fit better than the other simple form and were used; tests rest on this."
    )
    return _with_notes(best, (*((why,) if why else ()), note))


def _with_notes(found: GrowthFit, notes: tuple[str, ...]) -> GrowthFit:
    return GrowthFit(fit=found.fit, data=found.data, contrast=found.contrast, within=found.within, notes=notes)


def _identified(fit: MixedFit) -> bool:
    """Tell whether an unstructured fit ended well, away from the edge of the possible."""
    covariance = np.asarray(fit.residual_covariance, dtype=float)
    root = np.sqrt(np.diag(covariance))
    return fit.converged and bool(np.linalg.eigvalsh(covariance / np.outer(root, root))[0] > _DEPENDENT)


def _fitted(sample: Repeated, roles: Roles, *, linear: bool, kind: Kind | None, notes: tuple[str, ...]) -> GrowthFit:
    """Fit one model; `kind` is the structure of the residuals, None where clients have own slopes."""
    data = _data(sample, roles, linear=linear, kind=kind)
    fit = mixed_fit(data.y, data.X, data.factors, residual=data.residual)
    kept = [data.design.terms[k] for k in fit.kept]
    names = [data.design.names[k] for k in fit.kept]
    contrast = np.zeros(len(kept))
    own = f"{roles.arm}[{label_key(roles.treated)}]:{roles.wave}" + ("" if linear else f"[{sample.labels[-1]}]")
    if own not in names:
        raise DesignError(
            "once the other columns are in the model, nothing is left of the difference between the arms.",
            fix="Adjust for fewer columns.",
        )
    contrast[names.index(own)] = _clock(sample)[-1] if linear else 1.0
    return GrowthFit(fit=fit, data=data, contrast=contrast, within=_WITHIN[kind], notes=notes)


_WITHIN: dict[Kind | None, str] = {
    None: "an own level and slope of every client",
    "unstructured": "unstructured residuals within the client",
    "compound_symmetry": "the same correlation of all waves of a client",
    "ar1": "a correlation of a client's waves that fades with time (AR(1))",
}


def _clock(sample: Repeated) -> Array:
    """Return the times of the waves; their numbers where they have none."""
    return np.asarray(range(len(sample.labels)) if sample.times is None else sample.times, dtype=float)


def _data(sample: Repeated, roles: Roles, *, linear: bool, kind: Kind | None) -> MixedData:
    """Return the arrays of a model, with their names."""
    arm, wave, client = str(roles.arm), str(roles.wave), str(roles.client)
    n, time = len(sample.y), _clock(sample)[sample.wave]
    numeric = {name: values[sample.client] for name, values in sample.covariates.numeric.items()}
    labels = [str(label_key(roles.control)), str(label_key(roles.treated))]
    coded = {name: (own, codes[sample.client]) for name, (own, codes) in sample.covariates.coded.items()}
    coded[arm] = (labels, sample.treated.astype(np.intp)[sample.client])
    if linear:
        numeric[wave] = time
    else:
        coded[wave] = (list(sample.labels), sample.wave)
    terms: list[Term] = [(arm,), (wave,), (arm, wave), *((name,) for name in roles.covariates)]
    blocks = term_columns(terms, numeric, coded, rows=n, where=roles.where)
    slopes = np.column_stack([np.ones(n), time])
    groupings, factors, parts = [], [], []
    by_client = Grouping(columns=(client,), codes=sample.client, keys=(sample.client_ids,))
    if kind is None:
        factors.append(Factor(sample.client, slopes))
        parts.append(_part(by_client, wave))
        groupings.append(by_client)
    if sample.cluster is not None:
        by_cluster = Grouping(
            columns=(str(roles.cluster),), codes=sample.cluster[sample.client], keys=(sample.cluster_ids,)
        )
        factors.append(Factor(by_cluster.codes, slopes))
        parts.append(_part(by_cluster, wave))
        groupings.append(by_cluster)
    if kind is not None:
        groupings.append(by_client)
    model = " + ".join(
        [f"{arm} * {wave}", *roles.covariates, *(f"(1 + {wave} | {part.name})" for part in parts)]
        + (
            []
            if kind is None
            else [f"{kind}({client})" if kind == "compound_symmetry" else f"{kind}({wave} | {client})"]
        )
    )
    return MixedData(
        y=sample.y,
        X=np.column_stack([values for _, _, values in blocks]),
        factors=tuple(factors),
        residual=_residual(sample, kind),
        weights=None,
        design=MixedDesign(
            model=model,
            names=tuple(label for label, _, _ in blocks),
            terms=tuple(term for _, term, _ in blocks),
            random=tuple(parts),
            read=Read(numeric=numeric, coded=coded, notes=sample.covariates.notes),
            rows=np.arange(n),
        ),
        groupings=tuple(groupings),
        classes=sample.labels if kind == "unstructured" else (),
        rows=sample.rows,
        notes=(*sample.notes, *sample.covariates.notes),
    )


def _part(grouping: Grouping, wave: str) -> RandomPart:
    """Return a random level and slope of a grouping factor."""
    return RandomPart(
        name=factor_name(grouping.columns),
        columns=grouping.columns,
        keys=grouping.keys,
        names=("(Intercept)", wave),
        terms=((), (wave,)),
    )


def _residual(sample: Repeated, kind: Kind | None) -> Residual:
    """Return the structure of the residuals; AR(1) goes by time where times are whole numbers, else by wave."""
    if kind is None:
        return Residual()
    clock = _clock(sample)
    whole = bool((clock == np.round(clock)).all())
    occasion = (clock.astype(np.intp) if whole else np.arange(len(clock)))[sample.wave]
    return Residual(kind=kind, unit=sample.client, occasion=occasion)
