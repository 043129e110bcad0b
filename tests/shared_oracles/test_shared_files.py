"""Files from the test suites of other readers: each reads, or ends in a sentence that names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.data.read import read_source
from sweval.errors import SwevalError

FILES = Path(__file__).resolve().parents[3] / "shared" / "files"
PATHS = sorted(path for path in FILES.iterdir() if not path.name.startswith(("LICENSE", "README")))
REFUSED = {
    "crashes_reader_1.sav": "crashed",
    "crashes_reader_2.sav": "crashed",
    "derived_cp1252_decimalcomma.csv": 'encoding="cp1252"',
    "derived_dta_named_as.sav": "Stata file",
    "derived_empty.sav": "0 bytes",
    "derived_text_named.sav": "plain text",
    "derived_truncated_iris.dta": "damaged",
    "derived_truncated_iris.sav": "cut off",
    "derived_truncated_sample.por": "damaged",
    "derived_truncated_sample.sas7bdat": "damaged",
}


@pytest.mark.parametrize("path", PATHS, ids=[path.name for path in PATHS])
def test_reads_or_says_why_not(path):
    before = path.read_bytes(), path.stat().st_mtime_ns
    words = "catalog" if path.suffix == ".sas7bcat" else REFUSED.get(path.name)
    if words is None:
        source = read_source(path)
        assert len(source.frame) > 0
        assert len(source.codebook.variables) == source.frame.shape[1]
    else:
        with pytest.raises(SwevalError, match=words) as caught:
            read_source(path)
        assert str(caught.value).startswith(f"{path.name}: ")
        assert "\n" not in str(caught.value)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_declared_encoding_and_decimal_comma():
    frame = read_source(FILES / "derived_cp1252_decimalcomma.csv", encoding="cp1252").frame
    assert frame["nama"].tolist() == ["Zoë", "Müller", "Peña"]
    assert frame["skor"].tolist()[:2] == [1.5, 2.5]
    assert read_source(FILES / "derived_latin1_v114.dta").frame["nama"].tolist() == ["Zoë", "Müller", "Peña"]


def test_the_same_data_from_five_formats_are_the_same():
    frames = {
        suffix: read_source(FILES / f"pyreadstat_sample.{suffix}").frame
        for suffix in ("sav", "zsav", "dta", "sas7bdat", "xpt", "por")
    }
    for suffix, frame in frames.items():
        pd.testing.assert_frame_equal(frame.rename(columns=str.lower), frames["sav"], obj=suffix)


def test_user_missing_ranges():
    source = read_source(FILES / "pyreadstat_sample_missing_user.sav")
    np.testing.assert_array_equal(source.frame["myord"].to_numpy(), [1, 2, 3, 1, 1, np.nan, np.nan])
    assert source.frame["mynum"].isna().tolist() == [False] * 5 + [True] * 2
    assert {(reason.code, reason.count) for reason in source.codebook.missing("mynum")} == {
        ("2000 to 3000", 1),
        (-1, 1),
    }
    assert {(reason.code, reason.label, reason.count) for reason in source.codebook.missing("myord")} == {
        (-1, "missing", 1),
        (-2, None, 0),
        (-3, None, 1),
    }


def test_tagged_missing_values_of_stata_and_sas():
    stata = read_source(FILES / "haven_tagged-na-int.dta").codebook
    assert {(reason.code, reason.label, reason.count) for reason in stata.missing("x")} == {
        (".a", "apple", 1),
        (".h", None, 1),
        (".z", ".zebra", 1),
    }
    sas = read_source(FILES / "haven_tagged-na.sas7bdat", catalog=FILES / "haven_tagged-na.sas7bcat").codebook
    assert {(reason.code, reason.label) for reason in sas.missing("x")} == {
        (".A", "Apple"),
        (".H", None),
        (".Z", "Zebra"),
    }


def test_sas_catalog_labels():
    data, catalog = "pyreadstat_catalog_test_data_win.sas7bdat", "pyreadstat_catalog_test_formats_win.sas7bcat"
    source = read_source(FILES / data, catalog=FILES / catalog, labels=["SEXA"])
    assert source.codebook.values("SEXB") == {"1": "Male", "2": "Female"}
    assert source.frame["SEXA"].tolist() == ["Male", "Female", "Male"]
    assert source.frame["SEXB"].tolist() == ["1", "2", "1"]


def test_dates_beyond_python_read_as_numbers():
    source = read_source(FILES / "haven_datetime.sav")
    assert source.frame["date"].tolist() == [pd.Timestamp("2014-09-22"), pd.Timestamp("2014-09-23")]
    assert source.frame["date.posix"].tolist() == [6306150067200, 13630867160]
    assert any('"date.posix"' in note for note in source.notes)


def test_letters_of_all_scripts():
    assert read_source(FILES / "haven_umlauts.sav").codebook.values("var1")[1] == "the ä umlaut"
    assert read_source(FILES / "pyreadstat_hebrews.sav").frame.columns[0] == "ותק_ב"
    assert read_source(FILES / "pyreadstat_tegulu.sav").frame.iloc[0, 1].startswith("నేను")
