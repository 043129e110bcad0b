"""Write noncentral_t.json: confidence limits of the noncentrality in 25-digit arithmetic (needs mpmath; 10 minutes).

P(T <= t; nu, lambda) is the integral of Phi(t s - lambda) over the density of s = sqrt(chi2_nu / nu), cut at points
where either factor turns, by Gauss-Legendre; the limits are its roots in lambda. Nothing of sweval is used.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mpmath as mp

mp.mp.dps = 25
TURNS = (-12, -6, -3, -1, 0, 1, 3, 6, 9, 13)


def below(t: mp.mpf, nu: mp.mpf, limit: mp.mpf) -> mp.mpf:
    """Return P(T <= t)."""
    constant = 2 * (nu / 2) ** (nu / 2) / mp.gamma(nu / 2)
    width = 1 / mp.sqrt(2 * nu)
    points = {max(mp.mpf(0), 1 + k * width) for k in TURNS} | {mp.mpf(0)}
    if t != 0:
        points |= {min(max(mp.mpf(0), (limit + k) / t), 1 + 13 * width) for k in (-8, -4, -1, 0, 1, 4, 8)}

    def integrand(s: mp.mpf) -> mp.mpf:
        return mp.ncdf(t * s - limit) * constant * s ** (nu - 1) * mp.exp(-nu * s * s / 2)

    return mp.quad(integrand, sorted(points))


def root(t: mp.mpf, nu: mp.mpf, tail: mp.mpf) -> mp.mpf:
    """Return lambda with P(T <= t) = tail, by bisection and then the secant method."""
    spread = 1 + abs(t)
    low, high = t - 8 * spread, t + 8 * spread
    while high - low > mp.mpf("0.1") * spread:
        middle = (low + high) / 2
        low, high = (middle, high) if below(t, nu, middle) > tail else (low, middle)
    return mp.findroot(lambda limit: below(t, nu, limit) - tail, (low, high), solver="secant", tol=1e-40, verify=False)


def main() -> None:
    rows = []
    for nu in ("1.2", "1.5", "2", "3", "5", "8", "20", "29.9", "30", "100", "1000", "1000000"):
        for t in ("-40", "-7.3", "-1", "0", "0.4", "3.3", "12", "40"):
            for level in ("0.95", "0.8") if nu in {"3", "20"} else ("0.95",):
                alpha = (1 - mp.mpf(level)) / 2
                limits = [root(mp.mpf(t), mp.mpf(nu), tail) for tail in (1 - alpha, alpha)]
                rows.append(
                    {
                        "t": float(t),
                        "df": float(nu),
                        "conf_level": float(level),
                        "low": float(mp.nstr(limits[0], 17)),
                        "high": float(mp.nstr(limits[1], 17)),
                    }
                )
                sys.stderr.write(f"{nu} {t} {level}\n")
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    Path(__file__).with_name("noncentral_t.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
