"""Morris (2008), Estimating effect sizes from pretest-posttest-control group designs, Table 5, column d_ppc2."""

from __future__ import annotations

import numpy as np

import sweval as sw
from sweval.data.datasets import about
from sweval.effects.kernel import standardize


def test_the_five_effects_as_printed() -> None:
    table = sw.dataset("morris2008")
    n_treated, n_control = table["treated_n"].to_numpy(), table["control_n"].to_numpy()
    gain = {arm: (table[f"{arm}_post_mean"] - table[f"{arm}_pre_mean"]).to_numpy() for arm in ("treated", "control")}
    nu = n_treated + n_control - 2.0
    spread = np.sqrt(
        ((n_treated - 1) * table["treated_pre_sd"] ** 2 + (n_control - 1) * table["control_pre_sd"] ** 2) / nu
    ).to_numpy()
    kappa = np.sqrt(2 * (1 - table["correlation"]) * (1 / n_treated + 1 / n_control)).to_numpy()
    effect = standardize(gain["treated"] - gain["control"], spread, nu=nu, kappa=kappa, df=nu)
    assert effect.g.round(2).tolist() == about("morris2008")["truth"]["d_ppc2"]
