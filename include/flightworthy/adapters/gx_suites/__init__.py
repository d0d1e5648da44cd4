"""Runs expectations with Great Expectations, by default on DuckDB over the stored files, else on pandas."""

from flightworthy.adapters.gx_suites.suites import GxSuites

__all__ = ["GxSuites"]
