"""The declarative whole: one file names the data, the outcomes, the comparisons and the report."""

from sweval.study.study import Study

__all__ = ["Study"]
