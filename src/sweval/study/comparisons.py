"""What one comparison of a study tells about another: its baseline wave, and clusters that were assigned whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from sweval.models.base.design import Design
from sweval.models.base.values import label_key
from sweval.result import CHECK
from sweval.study.file import Comparison

if TYPE_CHECKING:
    import pandas as pd


def with_outcome_waves(design: Design, others: Sequence[Comparison], frame: pd.DataFrame) -> tuple[Design, list[str]]:
    """Return a design without baseline kept from the wave that other comparisons of the study name as baseline.

    A wave before the service is no outcome of it, whichever comparison says so. A design with `times` starts at its
    first wave by itself.
    """
    names = {entry.name for entry in fields(design)}
    if (
        "times" in names
        or "baseline" not in names
        or design.wave is None
        or design.outcome_waves
        or _of(design, "baseline") is not None
    ):
        return design, []
    labels = list(dict.fromkeys(label for label in frame[design.wave].map(label_key) if isinstance(label, str)))
    named = {
        label_key(baseline)
        for comparison in others
        if comparison.design.wave == design.wave
        for baseline in (_of(comparison.design, "baseline"), _of(comparison.design, "pre"))
        if baseline is not None
    }
    before = [label for label in labels if label in named]
    after = tuple(label for label in labels if label not in named)
    if not before or not after:
        return design, []
    note = (
        f'No baseline is named. The wave "{before[0]}" is the baseline of another comparison, so it is no outcome '
        f'here; to adjust for it, write baseline = "{before[0]}".'
    )
    return replace(design, outcome_wave=after), [note]


def whole_clusters(design: Design, others: Sequence[Comparison], frame: pd.DataFrame) -> list[str]:
    """Return a note where the arm of a design without cluster is constant in the clusters of another comparison."""
    names = {entry.name for entry in fields(design)}
    arm = _of(design, "arm")
    if "cluster" not in names or arm is None or _of(design, "cluster") is not None:
        return []
    clusters = dict.fromkeys(cluster for comparison in others if (cluster := _of(comparison.design, "cluster")))
    notes = []
    for cluster in clusters:
        both = frame[[str(arm), str(cluster)]].dropna()
        if len(both) and (both.groupby(str(cluster), observed=True)[str(arm)].nunique() == 1).all():
            notes.append(
                f'{CHECK}"{arm}" is the same for all rows of each "{cluster}", as if whole clusters had been assigned. '
                f"This comparison ignores clusters, so its interval is then too narrow: use "
                f'kind = "cluster_trial" with cluster = "{cluster}".'
            )
    return notes


def _of(design: Design, name: str) -> object:
    """Return a field of a design, None where it has no such field."""
    return getattr(design, name, None)
