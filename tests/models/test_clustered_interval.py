"""A clustered effect far from 0 is as precise as its coefficient: the error of the standard error counts once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.models.base.design import Design
from sweval.models.cluster_trial import ClusterTrial
from sweval.models.partially_nested import PartiallyNested
from sweval.models.two_group import TwoGroup

ARMS = {"arm": "arm", "treated": "T", "control": "C"}


@pytest.mark.parametrize(
    "design",
    [
        ClusterTrial(**ARMS, cluster="agency"),
        TwoGroup(**ARMS, cluster="agency"),
        PartiallyNested(**ARMS, group="group"),
    ],
    ids=["cluster_trial", "two_group", "partially_nested"],
)
def test_width_is_that_of_the_coefficient(design: Design) -> None:
    rng = np.random.default_rng(3)
    agency = np.repeat(np.arange(8), 150)
    arm = np.where(agency % 2 == 0, "T", "C")
    y = rng.normal(size=1200) + rng.normal(0, 0.1, 8)[agency] + 1.5 * (arm == "T")
    frame = pd.DataFrame({"agency": agency, "arm": arm, "y": y})
    frame["group"] = frame["agency"].where(frame["arm"] == "T")
    row = design.fit(frame, "y", better="higher").effect("hedges_g")
    alone = 2 * stats.t.ppf(0.975, row.df) * np.sqrt(row.weight_variance)
    # 1,200 clients add the error of the standard deviation, some percent; counting the other one twice adds far more
    assert 0.99 < (row.conf_high - row.conf_low) / alone < 1.25
