"""Pages that a person reads: one HTML file each, with everything in it, which says the same wherever it is opened."""

from flightworthy.adapters.reports.backtest import write_backtest
from flightworthy.adapters.reports.evaluation import write_evaluation

__all__ = ["write_backtest", "write_evaluation"]
