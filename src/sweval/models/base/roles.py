"""Which column plays which part in a design."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The columns of a design, as one record for the code that chooses the rows.

    Parameters
    ----------
    where
        The design's name in errors, for example `ClusterTrial`.
    arm, treated, control
        Column and labels of the two arms; None where there is no comparison.
    baseline
        A wave (where `wave` is set) or a column.
    covariates, cluster, group, client, wave
        Columns.
    outcome_waves
        Waves to analyse; empty = all but the baseline.
    nested
        True where whole clusters were assigned, so that a cluster in both arms is an error.
    """

    where: str
    arm: str | None = None
    treated: object = None
    control: object = None
    baseline: object = None
    covariates: tuple[str, ...] = ()
    cluster: str | None = None
    group: str | None = None
    client: str | None = None
    wave: str | None = None
    outcome_waves: tuple[object, ...] = ()
    nested: bool = False

    def fixed_columns(self) -> dict[str, str]:
        """Return role -> column of what belongs to a client and must not change between waves."""
        named = {"arm": self.arm, "cluster": self.cluster, "group": self.group}
        return {role: column for role, column in named.items() if column is not None}

    def columns(self, outcome: str, present: list[str]) -> list[str]:
        """Return all columns to read; a baseline that is a wave is none of them."""
        baseline = (
            [self.baseline] if self.baseline is not None and (self.wave is None or self.baseline in present) else []
        )
        named = [outcome, *self.fixed_columns().values(), *baseline, *self.covariates, self.client, self.wave]
        return [str(name) for name in dict.fromkeys(named) if name is not None]
