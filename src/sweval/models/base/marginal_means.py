"""Marginal means, slopes and their comparison, with the small-sample tests of the model behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.grouping import Grouping
from sweval.models.base.mixed_design import MixedDesign
from sweval.models.base.mixed_rows import inference_of
from sweval.models.base.reference_grid import Cells, cells, named_columns
from sweval.models.base.rows import Facts
from sweval.result import Estimate, Result

if TYPE_CHECKING:
    from sweval.models.engine.mixed.fit import Df, MixedFit
    from sweval.models.engine.sandwich import ContrastTest

METHODS = ("pairwise", "reference")
ADJUSTMENTS = ("holm", "tukey")
DF_METHODS = {"satterthwaite": "Satterthwaite df", "kenward-roger": "Kenward-Roger df"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """A fitted model, and how it is to be asked: method of the df and level of the intervals."""

    fitted: MixedFit
    design: MixedDesign
    facts: Facts
    df: Df
    conf_level: float

    def settled(self, *, where: str) -> tuple[Df, tuple[str, ...]]:
        """Return the method of the df that holds for this fit, with a note where it is not the one asked for.

        Raises
        ------
        DesignError
            If the method is unknown, or none holds.
        """
        if self.df not in tuple(DF_METHODS):
            raise DesignError(f'df="{self.df}" is unknown.', where=where, fix=did_you_mean(str(self.df), DF_METHODS))
        tests = inference_of(self.fitted, self._groupings(), self.df)
        if tests.df == self.df:
            return self.df, ()
        if tests.df is None:
            raise DesignError(
                "variances are estimated at the edge of what is possible, where Satterthwaite's df are wrong.",
                where=where,
                fix="Fit by REML; then Kenward-Roger can be used.",
            )
        note = (
            "Variances are at the edge of what is possible, and more than one is, or the units are few, so that "
            "Satterthwaite's df are wrong: Kenward-Roger was used."
        )
        return tests.df, (note,)

    def _groupings(self) -> list[Grouping]:
        """Return the units of every factor, then those within which residuals correlate, as the rows had them."""
        found = [
            Grouping(columns=part.columns, codes=factor.codes.astype(np.intp), keys=part.keys)
            for part, factor in zip(self.design.random, self.fitted.factors, strict=True)
        ]
        unit = self.fitted.residual.unit
        if unit is not None:
            keys = ([str(number) for number in range(int(unit.max()) + 1)],)
            found.append(Grouping(columns=("residual",), codes=unit.astype(np.intp), keys=keys))
        return found


def marginal_means(
    asked: Questions, terms: str | Sequence[str], *, at: Mapping[str, object] | None, trend: str | None
) -> Result:
    """Return marginal means or slopes; see `MixedResult.marginal_means`."""
    where = "marginal_means"
    names = named_columns(terms, asked.design, where=where)
    found = cells(asked.design, asked.fitted.kept, names, at=at, trend=trend, where=where)
    df, notes = asked.settled(where=where)
    for k, row in enumerate(found.L):
        if found.estimable[k] and found.nothing(row):
            what = "mean" if trend is None else f'slope of "{trend}"'
            raise DesignError(
                f"the {what} is 0 by the model, whatever the data, at {_label(found, k)}.",
                where=where,
                fix="Add the terms that are part of the interaction.",
            )
    usable = [k for k, good in enumerate(found.estimable) if good]
    tests = asked.fitted.contrasts(found.L[usable], df=df) if usable else ()
    what = _what(trend)
    rows = [
        _row(asked, _label(found, k), "slope" if trend else "marginal_mean", test, method=f"{what}, {DF_METHODS[df]}")
        for k, test in zip(usable, tests, strict=True)
    ]
    return Result(estimates=tuple(rows), notes=(*notes, *_not_estimable(found)))


def contrasts(
    asked: Questions,
    terms: str | Sequence[str],
    *,
    at: Mapping[str, object] | None,
    by: str | Sequence[str] | None,
    method: str,
    adjust: str | None,
    trend: str | None,
) -> Result:
    """Return comparisons of marginal means or slopes; see `MixedResult.contrasts`."""
    where = "contrasts"
    for value, options, what in ((method, METHODS, "method"), (adjust, (None, *ADJUSTMENTS), "adjust")):
        if value not in options:
            fix = did_you_mean(str(value), [option for option in options if option])
            raise DesignError(f'{what}="{value}" is unknown.', where=where, fix=fix)
    if adjust == "tukey" and method != "pairwise":
        raise DesignError('adjust="tukey" is for all pairs only.', where=where, fix='Use adjust="holm".')
    within = () if by is None else named_columns(by, asked.design, where=f"{where}, by")
    compared = named_columns(terms, asked.design, where=where)
    compared = tuple(name for name in compared if name not in within)
    if not compared:
        raise DesignError("every column to compare is also in by=.", where=where)
    found = cells(asked.design, asked.fitted.kept, (*within, *compared), at=at, trend=trend, where=where)
    df, notes = asked.settled(where=where)
    families: dict[tuple[str, ...], list[int]] = {}
    for k, label in enumerate(found.labels):
        if found.estimable[k]:
            families.setdefault(label[: len(within)], []).append(k)
    for members in families.values():
        _refuse_alike(found, (members, len(within)), asked.design, compared, trend)
    rows: list[Estimate] = []
    for members in families.values():
        rows += _family(asked, found, (members, len(within)), method=method, adjust=adjust, how=(df, _what(trend)))
    if not rows:
        raise DesignError(
            "there is only one combination, so nothing can be compared.",
            where=where,
            fix='A number enters with its mean; name values to compare, for example at={"wave": [0, 8]}.',
        )
    return Result(estimates=tuple(rows), notes=(*notes, *_not_estimable(found)))


def _refuse_alike(
    found: Cells, family: tuple[list[int], int], design: MixedDesign, compared: tuple[str, ...], trend: str | None
) -> None:
    """Refuse combinations that the model makes equal, whatever the data: they have no difference to test.

    Raises
    ------
    DesignError
        Naming the term that is not in the model.
    """
    members, skip = family
    what = "mean" if trend is None else f'slope of "{trend}"'
    for i, a in enumerate(members):
        for b in members[i + 1 :]:
            if not found.nothing(found.L[b] - found.L[a]):
                continue
            for name in compared:
                if trend is not None and not any({name, trend} <= set(term) for term in design.terms):
                    raise DesignError(
                        f'the {what} is the same in every "{name}": the model has no term {name}:{trend}.',
                        where="contrasts",
                        fix=f"Add {name}:{trend} to the fixed terms.",
                    )
            raise DesignError(
                f"the {what} is the same by the model, whatever the data, at {_label(found, a, skip)} and "
                f"{_label(found, b, skip)}.",
                where="contrasts",
                fix="Compare values at which the model can differ.",
            )


def _family(
    asked: Questions,
    found: Cells,
    family: tuple[list[int], int],
    *,
    method: str,
    adjust: str | None,
    how: tuple[Df, str],
) -> list[Estimate]:
    """Return the comparisons within one value of `by`, and the joint test for three and more means."""
    (members, skip), (df, what) = family, how
    pairs = [(b, a) for i, a in enumerate(members) for b in members[i + 1 :] if method == "pairwise" or a == members[0]]
    if not pairs:
        return []
    tests = asked.fitted.contrasts(np.stack([found.L[b] - found.L[a] for b, a in pairs]), df=df)
    p_values = _adjusted([test.p_value for test in tests], tests, len(members), adjust)
    said = f"difference of {what}, {DF_METHODS[df]}"
    if adjust == "holm":
        said += f", adjusted for {len(pairs)} comparisons: p-values by Holm, intervals by Bonferroni"
    elif adjust == "tukey":
        said += f", p-values and intervals adjusted by Tukey for {len(members)} means"
    inside = _context(found, members[0], skip)
    rows = []
    for (b, a), test, p in zip(pairs, tests, p_values, strict=True):
        label = f"{_label(found, b, skip)} - {_label(found, a, skip)}{inside}"
        reach = _reach(test.df, asked.conf_level, (len(pairs), len(members)), adjust)
        row = _row(asked, label, "contrast", test, method=said, reach=reach)
        rows.append(dataclasses.replace(row, p_value=p))
    if len(members) > 2:
        rows += _joint(asked, found, members, (f"all {len(members)} equal{inside}", what), df=df)
    return rows


def _joint(asked: Questions, found: Cells, members: list[int], said: tuple[str, str], *, df: Df) -> list[Estimate]:
    """Return the F test that all members are equal."""
    L = found.L[members[1:]] - found.L[members[0]]
    chosen: list[int] = []
    for k in range(len(L)):  # means at several values of one number depend on each other
        if np.linalg.matrix_rank(L[[*chosen, k]], tol=1e-9 * np.abs(L).max()) > len(chosen):
            chosen.append(k)
    test = asked.fitted.joint(L[chosen], df=df)
    row = asked.facts.row(
        said[0],
        "joint_test",
        test.statistic,
        method=f"F test that {said[1]} are equal, {test.df_numerator} numerator df, {DF_METHODS[df]} in the "
        "denominator",
        statistic=test.statistic,
        df=test.df_denominator,
        p_value=test.p_value,
    )
    return [row]


def _adjusted(p: list[float], tests: Sequence[ContrastTest], means: int, adjust: str | None) -> list[float]:
    """Return the p-values, adjusted as asked."""
    if adjust == "tukey" and means > 2:
        from scipy.stats import studentized_range

        return [float(studentized_range.sf(abs(t.statistic) * np.sqrt(2), means, t.df)) for t in tests]
    if adjust != "holm":
        return p
    order = np.argsort(p, kind="stable")
    scaled = np.asarray(p)[order] * (len(p) - np.arange(len(p)))
    out = np.empty(len(p))
    out[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in out]


def _reach(df: float, level: float, sizes: tuple[int, int], adjust: str | None) -> float:
    """Return how many standard errors an interval reaches, adjusted for the number of pairs or of means."""
    pairs, means = sizes
    if adjust == "tukey" and means > 2:
        from scipy.stats import studentized_range

        return float(studentized_range.ppf(level, means, df) / np.sqrt(2))
    tail = (1 - level) / 2 / (pairs if adjust == "holm" else 1)
    return float(stdtrit(df, 1 - tail))


def _row(
    asked: Questions,
    term: str,
    measure: str,
    test: ContrastTest,
    *,
    method: str,
    reach: float | None = None,
) -> Estimate:
    """Return a row with its t interval; a mean has no test, as no value is its null."""
    width = (float(stdtrit(test.df, (1 + asked.conf_level) / 2)) if reach is None else reach) * test.std_error
    tested = {} if measure == "marginal_mean" else {"statistic": test.statistic, "p_value": test.p_value, "null": 0.0}
    return asked.facts.row(
        term,
        measure,
        test.estimate,
        method=method,
        metric="raw",
        std_error=test.std_error,
        conf_low=test.estimate - width,
        conf_high=test.estimate + width,
        conf_level=asked.conf_level,
        df=test.df,
        **tested,
    )


def _what(trend: str | None) -> str:
    return "marginal means" if trend is None else f'slopes on "{trend}"'


def _label(found: Cells, k: int, skip: int = 0) -> str:
    """Return `arm[program], wave[8]` without the columns of `by`."""
    pairs = zip(found.columns[skip:], found.labels[k][skip:], strict=True)
    return ", ".join(f"{name}[{value}]" for name, value in pairs)


def _context(found: Cells, k: int, skip: int) -> str:
    """Return ` at wave[8]`, the values of `by`."""
    pairs = zip(found.columns[:skip], found.labels[k][:skip], strict=True)
    return " at " + ", ".join(f"{name}[{value}]" for name, value in pairs) if skip else ""


def _not_estimable(found: Cells) -> tuple[str, ...]:
    """Return a note on combinations that the data do not determine."""
    lost = [_label(found, k) for k, good in enumerate(found.estimable) if not good]
    if not lost:
        return ()
    return (f"The data do not determine {len(lost)} combinations, which were left out: {'; '.join(lost)}.",)
