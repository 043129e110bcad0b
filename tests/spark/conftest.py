"""These tests need Java and PySpark: `nox -s spark` brings PySpark. Without it they are not collected."""

from __future__ import annotations

import importlib.util

collect_ignore = [] if importlib.util.find_spec("pyspark") else ["test_spark.py"]
