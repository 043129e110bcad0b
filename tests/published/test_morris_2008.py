"""Morris (2008), Estimating effect sizes from pretest-posttest-control group designs, Table 5, column d_ppc2."""

from __future__ import annotations

import numpy as np
import pytest

import sweval as sw
from sweval.data.datasets import about


def test_the_five_effects_as_printed() -> None:
    table = sw.dataset("morris2008")
    arms = [
        sw.effects.ArmChange(
            change=table[f"{arm}_post_mean"] - table[f"{arm}_pre_mean"],
            sd_pre=table[f"{arm}_pre_sd"],
            n=table[f"{arm}_n"],
            correlation=table["correlation"],
        )
        for arm in ("treated", "control")
    ]
    found = sw.effects.difference_of_changes(arms[0], arms[1])
    assert found.g.round(2).tolist() == about("morris2008")["truth"]["d_ppc2"]


def test_a_table_of_reports_gives_the_same() -> None:
    table = sw.dataset("morris2008")
    names = {f"{arm}_{wave}_{what}": f"{what}{'_pre' if wave == 'pre' else ''}_{arm}"
             for arm in ("treated", "control") for wave in ("pre", "post") for what in ("mean", "sd")}  # fmt: skip
    names |= {f"{arm}_n": f"n_{arm}" for arm in ("treated", "control")}
    reports = table.rename(columns=names).assign(kind="pre_post_control", better="higher")
    if "study" not in reports:
        reports["study"] = [f"Study {k}" for k in range(1, len(reports) + 1)]
    from sweval.models.base.reported import reported_effects

    rows = reported_effects(reports).estimates
    printed = about("morris2008")["truth"]["d_ppc2"]
    assert [round(row.estimate, 2) for row in rows] == printed
    assert np.mean([row.df or 0 for row in rows]) == pytest.approx((table.treated_n + table.control_n - 2).mean())
