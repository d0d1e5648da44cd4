"""Pages that a person reads, one HTML file each with everything in it: of an evaluation, of a backtest."""

from flightworthy.adapters.report_pages.backtest import write_backtest
from flightworthy.adapters.report_pages.evaluation import write_report

__all__ = ["write_backtest", "write_report"]
