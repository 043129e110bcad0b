"""The working model of a synthesis, fitted: which effects share what, and how coefficients are tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.special import chdtrc, fdtrc

from sweval.errors import DesignError
from sweval.models.base.synthesis_data import Effects, codes_of
from sweval.models.base.terms import Encoded
from sweval.models.base.values import keyed, numbers
from sweval.models.engine.meta.blocks import Codes, Component, Sampling
from sweval.models.engine.meta.correlated_weights import correlated_weights
from sweval.models.engine.meta.heterogeneity import Estimator
from sweval.models.engine.meta.multilevel import MultilevelFit, multilevel
from sweval.models.engine.meta.robust import KINDS, Kind, RobustMeta, robust_covariance
from sweval.models.engine.meta.shared_control import shared_control_pairs
from sweval.models.engine.meta.summaries import component_interval, i_squared
from sweval.models.engine.meta.univariate import TESTS, MetaRegression, Test, meta_regression
from sweval.models.engine.ols import Array, two_sided_p
from sweval.models.engine.sandwich import ContrastTest, WaldTest
from sweval.result import CHECK, COMPARABLE

MODELS = ("CHE", "HE", "CE", "SCE", "RE", "CORR")
_MOST_PROFILED = 3000
"""Effects up to which intervals of variance components are profiled."""
_TOO_ALIKE = 0.99
_EXACT = 1e-16
"""Squared residual in sampling variances below which an effect differs from the model by rounding alone."""
_ESTIMATED = {"CORR": "moments"}
"""Models with an estimator of their own."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be fitted: the fields of `Synthesis` that choose the model."""

    model: str
    rho: float
    method: str
    test: str
    subgroup: str | None
    random: tuple[str, ...]
    cluster: str | None
    generalized: bool
    covariance: Array | None
    control: tuple[str, str] | None
    where: str


@dataclass(frozen=True, kw_only=True)
class Level:
    """One variance component: its name, variance, limits (NaN where not known) and percent of the total variance."""

    name: str
    tau2: float
    low: float
    high: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted working model that can be asked for tests of any contrast of its coefficients.

    `moment` is the variance between studies of the weights of robumeta, which are no likelihood model.
    """

    effects: Effects
    encoded: Encoded
    plan: Plan
    model: MultilevelFit | MetaRegression
    robust: RobustMeta | None
    clusters: int
    moment: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the coefficients."""
        return tuple(self.encoded.names[k] for k in self.model.kept)

    @property
    def method(self) -> str:
        """Return model, estimator and tests in one line."""
        plan, several = self.plan, len(self.effects.y) > len(self.effects.studies)
        rho = f", rho = {plan.rho:g}" if plan.model in ("CHE", "CE", "SCE", "CORR") and several else ""
        rho += ", covariances of shared control arms" if plan.control is not None else ""
        rho = ", given covariances" if plan.covariance is not None else rho
        named = {
            "CHE": "correlated and hierarchical effects", "HE": "hierarchical effects", "CE": "correlated effects",
            "SCE": "subgroup correlated effects", "RE": "random effects",
            "CORR": "correlated-effects weights",
        }  # fmt: skip
        model = (
            "equal effects"
            if plan.method == "EE"
            else f"{named[plan.model]}{rho}, {_ESTIMATED.get(plan.model, plan.method)}"
        )
        tested = {
            "z": "z tests", "t": "t tests", "knapp-hartung": "Knapp-Hartung t tests",
            "knapp-hartung-adhoc": "Knapp-Hartung t tests, never below the plain variance",
        }  # fmt: skip
        cluster = plan.cluster or "study"
        return f"{model}; {tested.get(plan.test, f'{plan.test} by {cluster}, Satterthwaite df')}"

    @property
    def exact(self) -> bool:
        """Tell whether effects lie on the model to the last digit, so that residuals show only rounding."""
        if self.robust is None and self.plan.test != "knapp-hartung":
            return False
        residuals = self.effects.y - self.encoded.X[:, list(self.model.kept)] @ self.model.coefficients
        return bool((residuals**2 <= _EXACT * self.effects.v).all())

    def tests(self, weights: Array) -> tuple[ContrastTest, ...]:
        """Test each row of `weights` (m, p) times the coefficients."""
        L = np.atleast_2d(np.asarray(weights, dtype=float))
        if self.exact:
            nothing = {"std_error": np.nan, "df": np.nan, "statistic": np.nan, "p_value": np.nan}
            return tuple(ContrastTest(estimate=float(b), **nothing) for b in L @ self.model.coefficients)
        if self.robust is not None:
            return self.robust.contrasts(L)
        b, V = self.model.coefficients, self.model.covariance
        errors = np.sqrt(np.einsum("ij,jk,ik->i", L, V, L))
        return tuple(
            ContrastTest(
                estimate=float(estimate), std_error=float(error), df=self._df,
                statistic=float(estimate / error), p_value=two_sided_p(float(estimate / error), self._df),
            )
            for estimate, error in zip(L @ b, errors, strict=True)
        )  # fmt: skip

    def joint(self, weights: Array) -> WaldTest:
        """Test that all rows of `weights` times the coefficients are 0."""
        if self.exact:
            raise DesignError("effects differ by rounding only, so nothing shows how much they vary.")
        if self.robust is not None:
            return self.robust.wald(weights)
        L = np.atleast_2d(weights)
        b = L @ self.model.coefficients
        wald, q = float(b @ np.linalg.solve(L @ self.model.covariance @ L.T, b)), len(L)
        p = chdtrc(q, wald) if np.isinf(self._df) else fdtrc(q, self._df, wald / q)
        return WaldTest(statistic=wald / q, df_numerator=q, df_denominator=self._df, p_value=float(p))

    @property
    def joint_name(self) -> str:
        """Return what the joint test is called."""
        if self.robust is not None:
            return f"{self.plan.test}, AHT (HTZ)"
        return "chi-square over its df, as an" if np.isinf(self._df) else "model-based"

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the reader should know of the model."""
        k, studies = len(self.effects.y), len(self.effects.studies)
        notes = []
        if k == studies and self.plan.model in ("CHE", "HE", "CE") and self.plan.method != "EE":
            notes.append(
                "Every study has one effect, so variance between and within studies cannot be told apart; one variance "
                "is estimated."
            )
        if self.moment is None and self.model.q_df > 1 and self.model.q_p > _TOO_ALIKE:
            notes.append(
                f"{CHECK}the effects are more alike than their variances allow (Q = {self.model.q:.1f} with "
                f"{self.model.q_df} df). Are the variances too large, or is a column of standard errors among them?"
            )
        if not self.model.converged:
            notes.append(f"{CHECK}the search for the variance components did not end at a maximum.")
        if self.plan.model == "RE" and k > studies:
            notes.append(
                f"{CHECK}{k} effects of {studies} studies were taken as independent; effects of one study are not, and "
                'standard errors are then too small. Use model="CHE".'
                if self.robust is None
                else f'{k} effects of {studies} studies: model="RE" gives them no common part; CR2 allows for it.'
            )
        return tuple(notes)

    @property
    def singular(self) -> bool:
        """Tell whether a variance component is estimated at zero."""
        if isinstance(self.model, MetaRegression):
            return self.plan.method != "EE" and self.model.tau2 == 0
        return bool((self.model.sigma2 == 0).any())

    @property
    def _df(self) -> float:
        if isinstance(self.model, MetaRegression):
            return self.model.df
        return np.inf if self.plan.test == "z" else float(self.model.q_df)

    def levels(self, conf_level: float) -> tuple[Level, ...]:
        """Return the variance components with intervals: Q-profile for one level, profile likelihood for several."""
        if isinstance(self.model, MetaRegression):
            if self.plan.method == "EE":
                return ()
            low, high = self.model.heterogeneity_interval(conf_level=conf_level)
            one = Level(
                name="effect", tau2=self.model.tau2, low=float(low[0]), high=float(high[0]), share=self.model.i2
            )
            return (one,)
        if self.moment is not None:
            return (Level(name="study", tau2=self.moment, low=np.nan, high=np.nan, share=np.nan),)
        shares = i_squared(self.model)
        found = []
        for k, component in enumerate(self.model.components):
            limits = (np.nan, np.nan)
            if self.model.k <= _MOST_PROFILED:
                limits = component_interval(self.model, k, conf_level=conf_level)
            found.append(
                Level(
                    name=component.name, tau2=float(self.model.sigma2[k]), low=limits[0], high=limits[1],
                    share=float(shares[k]),
                )
            )  # fmt: skip
        return tuple(found)

    def spread(self, subgroup: str | None = None) -> float:
        """Return the variance of true effects; in a model with one for each subgroup, that of the subgroup."""
        if isinstance(self.model, MetaRegression):
            return self.model.tau2
        if self.moment is not None:
            return self.moment
        named = dict(zip((c.name for c in self.model.components), self.model.sigma2.tolist(), strict=True))
        if self.plan.model == "SCE":
            return float(named.get(f"study, {self.plan.subgroup}[{subgroup}]", np.nan))
        return float(self.model.sigma2.sum())


def fit_working_model(effects: Effects, encoded: Encoded, plan: Plan, *, start: Array | None = None) -> Fitted:
    """Fit the working model that a synthesis asks for.

    Raises
    ------
    DesignError
        If the model and its tests do not go together, or the data do not identify it.
    """
    robust_tests = plan.test in KINDS
    if plan.model == "RE" and not robust_tests:
        model = meta_regression(
            effects.y, effects.v, encoded.X, method=cast(Estimator, plan.method), test=cast(Test, plan.test)
        )
        return Fitted(
            effects=effects, encoded=encoded, plan=plan, model=model, robust=None, clusters=len(effects.studies)
        )
    cluster = effects.study if plan.cluster is None else codes_of(effects.table, [plan.cluster])
    crossing = _crosses(cluster, effects.study)
    if plan.cluster is not None and crossing:
        raise DesignError(
            f'{crossing} studies are in several clusters of "{plan.cluster}".',
            where=plan.where,
            fix="A cluster is a study or holds whole studies.",
        )
    if plan.model == "CORR":
        found = correlated_weights(effects.y, effects.v, encoded.X, effects.study, rho=plan.rho)
        tested = robust_covariance(
            found.fit, cluster=effects.study, kind=cast(Kind, plan.test), generalized=plan.generalized
        )
        return Fitted(
            effects=effects, encoded=encoded, plan=plan, model=found.fit, robust=tested, clusters=tested.clusters,
            moment=found.tau2,
        )  # fmt: skip
    fitted = multilevel(
        effects.y, sampling_of(effects, plan), encoded.X, _components(effects, plan),
        cluster=cluster if robust_tests else None, method="ML" if plan.method == "ML" else "REML", start=start,
    )  # fmt: skip
    robust = None
    if robust_tests:
        robust = robust_covariance(fitted, cluster=cluster, kind=cast(Kind, plan.test), generalized=plan.generalized)
    return Fitted(
        effects=effects, encoded=encoded, plan=plan, model=fitted, robust=robust, clusters=len(np.unique(cluster))
    )


def _crosses(cluster: Codes, study: Codes) -> int:
    """Return how many studies have effects in several clusters."""
    pairs = np.unique(np.column_stack([study, cluster]), axis=0)
    return int((np.bincount(pairs[:, 0]) > 1).sum())


def sampling_of(effects: Effects, plan: Plan) -> Sampling:
    """Return the sampling covariance under the working model."""
    if plan.covariance is not None:
        return Sampling(variance=effects.v, matrix=plan.covariance)
    if plan.model in ("HE", "RE"):
        return Sampling(variance=effects.v)
    group = effects.study
    if plan.model == "SCE" and plan.subgroup is not None:
        inside = codes_of(effects.table, [plan.subgroup])
        group = np.unique(group * (inside.max() + 1) + inside, return_inverse=True)[1].astype(np.intp)
    return Sampling(variance=effects.v, group=group, rho=plan.rho, pairs=_pairs(effects, plan))


def _pairs(effects: Effects, plan: Plan) -> tuple[Codes, Codes, Array] | None:
    """Return the pairs of effects that share a control arm, with their covariance."""
    if plan.control is None:
        return None
    table, (arm, size) = effects.table, plan.control
    if effects.metric not in (None, COMPARABLE) or "n" not in table:
        raise DesignError(
            "the covariance of a shared control arm needs standardised mean differences and the persons of both arms "
            'in a column "n".',
            where=plan.where,
            fix="Add it, or pass fit(frame, covariance=...).",
        )
    named = keyed(table[arm], as_label=True)[0]
    control = np.where(named < 0, -1, codes_of(table, [arm]) * len(effects.studies) + effects.study)
    n, n_control = (numbers(table[name], where=plan.where)[0] for name in ("n", size))
    bad = int((~np.isfinite(n[named >= 0]) | ~np.isfinite(n_control[named >= 0])).sum())
    if bad:
        raise DesignError(f'{bad} effects with a shared control arm lack "n" or "{size}".', where=plan.where)
    return shared_control_pairs(effects.y, n, control.astype(np.intp), n_control)


def _components(effects: Effects, plan: Plan) -> tuple[Component, ...]:
    """Return the levels at which true effects vary."""
    if plan.method == "EE":
        return ()
    k = len(effects.y)
    each = Component(name="effect", codes=np.arange(k, dtype=np.intp))
    study = Component(name="study", codes=effects.study)
    if plan.model == "SCE" and plan.subgroup is not None:
        codes, labels, _ = keyed(effects.table[plan.subgroup], as_label=True)
        return tuple(
            Component(name=f"study, {plan.subgroup}[{label}]", codes=np.where(codes == number, effects.study, -1))
            for number, label in enumerate(labels)
            if (codes == number).any()
        )
    more = tuple(Component(name=entry, codes=codes_of(effects.table, entry.split("/"))) for entry in plan.random)
    if plan.model == "RE":
        return (each,)
    if len(effects.studies) == k:  # one effect per study: one variance
        return (study, *more)
    return (study, *more) if plan.model == "CE" else (study, *more, each)


def check_plan(plan: Plan) -> None:
    """Refuse fields that do not go together."""
    if plan.model not in MODELS:
        raise DesignError(f'"{plan.model}" is no model.', where=plan.where, fix=f"Choose one of {', '.join(MODELS)}.")
    known: Sequence[str] = (*KINDS, *TESTS)
    if plan.test not in known:
        raise DesignError(f'"{plan.test}" is no test.', where=plan.where, fix=f"Choose one of {', '.join(known)}.")
    univariate = plan.model == "RE" and plan.test in TESTS
    if not univariate and (plan.method not in ("REML", "ML", "EE") or plan.test.startswith("knapp")):
        raise DesignError(
            f'method="{plan.method}" with test="{plan.test}" is for independent effects.',
            where=plan.where,
            fix='Say model="RE", test="knapp-hartung"; for several effects per study use method="REML", test="CR2".',
        )
    if (plan.model == "SCE") != (plan.subgroup is not None):
        raise DesignError(
            'model="SCE" needs subgroup, the column with one variance for each level; other models have none.',
            where=plan.where,
            fix='Say model="SCE", subgroup="service", moderators="service".',
        )
    if plan.model == "CORR" and (plan.test not in KINDS or plan.method != "REML" or plan.cluster is not None):
        raise DesignError(
            'model="CORR" has its own estimator, robust tests by study, and no further clusters.',
            where=plan.where,
            fix='Leave method, cluster and test out; test="CR1p" is what robumeta calls small = FALSE.',
        )
    if plan.random and plan.model in ("SCE", "RE", "CORR"):
        raise DesignError(f'model="{plan.model}" takes no further levels.', where=plan.where, fix='Use model="CHE".')
    if plan.control is not None and plan.model in ("HE", "RE", "CORR"):
        raise DesignError(
            f'model="{plan.model}" takes errors as independent, so it knows no shared control arm.',
            where=plan.where,
            fix='Use model="CHE".',
        )
    if not 0 <= plan.rho < 1:
        raise DesignError(f"rho is {plan.rho:g}; it must be 0 or more and below 1.", where=plan.where)
