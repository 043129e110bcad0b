"""The growth index: slopes with their full uncertainty, and clients who improve like the average are improved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import sweval as sw
from sweval.errors import DesignError
from sweval.models.base.change_growth import client_slopes


def sixty_improving(
    seed: int = 11, *, noise: float = 3.0
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return 60 clients at four waves whose true slopes (mean -3, sd 0.8) are all below zero."""
    rng = np.random.default_rng(seed)
    client, time = np.repeat(np.arange(60), 4), np.tile(np.arange(4.0), 60)
    slopes = np.minimum(rng.normal(-3, 0.8, 60), -0.5)
    y = rng.normal(25, 5, 60)[client] + slopes[client] * time + rng.normal(0, noise, 240)
    return client.astype(np.intp), time, y


def test_the_error_of_a_slope_is_that_of_the_mixed_model_equations() -> None:
    """Henderson's equations by brute force: the inverse of their matrix holds the error of b + u of every client."""
    client, time, y = sixty_improving()
    keep = np.arange(len(y)) % 7 != 3  # unequal numbers of waves
    client, time, y = client[keep], time[keep], y[keep]
    found = client_slopes(client, time, y)
    psi, sigma2 = found.fit.covariances[0], found.fit.residual_variances[0]
    X = np.column_stack([np.ones(len(y)), time])
    Z = np.zeros((len(y), 120))
    for row, one in enumerate(client):
        Z[row, 2 * one : 2 * one + 2] = X[row]
    W = np.hstack([X, Z])
    C = W.T @ W / sigma2
    C[2:, 2:] += np.kron(np.eye(60), np.linalg.inv(psi))
    inverse = np.linalg.inv(C)
    solution = inverse @ W.T @ y / sigma2
    for one in range(60):
        pick = np.zeros(122)
        pick[[1, 2 + 2 * one + 1]] = 1.0
        assert found.slopes[one] == pytest.approx(pick @ solution, rel=1e-7)
        assert found.std_errors[one] == pytest.approx(np.sqrt(pick @ inverse @ pick), rel=1e-7)


def test_a_client_who_improves_like_the_average_has_improved() -> None:
    """Known error of clinicalsignificance: its index leaves the average slope out, so such a client gets 0.

    60 clients, all truly improving by about 3 points a wave: deviations call most of them unchanged and some of them
    worse; slopes call nearly all improved and nobody worse.
    """
    found = client_slopes(*sixty_improving(noise=1.0))
    deviation = found.deviations / found.deviation_errors
    assert (deviation < -1.96).sum() < 20
    assert (deviation > 1.96).sum() > 0
    assert (found.index < -1.96).sum() >= 58
    assert (found.index > 1.96).sum() == 0
    average = int(np.argmin(np.abs(found.deviations)))
    assert abs(deviation[average]) < 0.2
    assert found.index[average] < -3


def test_the_design_sorts_by_growth_and_uses_waves_between() -> None:
    client, time, y = sixty_improving()
    frame = pd.DataFrame({"id": client, "month": time, "distress": y})
    design = sw.ReliableChange(client="id", wave="month", pre=0, post=3, method="growth", cutoff=15)
    result = design.fit(frame, "distress", better="lower")
    assert result.clients is not None
    index = client_slopes(client, time, y).index
    assert result.clients["index"].to_numpy() == pytest.approx(index)
    expected = np.where(index >= -1.96, "unchanged", "improved")
    first, last = y.reshape(60, 4)[:, 0], y.reshape(60, 4)[:, 3]
    expected = np.where((index < -1.96) & (first > 15) & (last < 15), "recovered", expected)
    assert result.clients["category"].tolist() == expected.tolist()
    assert result.clients["unchanged_low"].isna().all()
    assert "posterior standard deviation" in result.effect("count", term="recovered").method
    fewer = design.fit(frame[frame["month"] != 1], "distress", better="lower")
    assert fewer.clients is not None
    assert not np.allclose(fewer.clients["index"], index)


def test_growth_that_cannot_be_seen_is_refused() -> None:
    client, time, y = sixty_improving()
    frame = pd.DataFrame({"id": client, "wave": [f"w{int(one)}" for one in time], "distress": y})
    design = sw.ReliableChange(client="id", wave="wave", pre="w0", post="w3", method="growth")
    with pytest.raises(DesignError, match=r"no numbers.*months since the start"):
        design.fit(frame, "distress", better="lower")
    two = pd.DataFrame({"id": client, "wave": time, "distress": y}).query("wave in (0, 3)")
    with pytest.raises(DesignError, match=r"0 clients have scores at three waves or more.*jacobson_truax"):
        sw.ReliableChange(client="id", wave="wave", pre=0, post=3, method="growth").fit(two, "distress", better="lower")
    with pytest.raises(DesignError, match="rows of the same client at several waves"):
        sw.ReliableChange(pre="before", method="growth")
