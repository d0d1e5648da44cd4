"""The prediction log on disk: read as a frame, in the form in which it is written and in the form in which it is kept.

::

    <root>/<model>/<UTC start>-<random>-<number>.jsonl             as a server writes it, a line of JSON for each row
    <root>/<model>/day=<UTC day>/<the same name>.parquet           the rows of that day, once the file is finished

A row is in both for a moment. **While the JSON lines are there, they count, and Parquet of the same name does not**:
taking them away is the one step by which a file passes from one form to the other, so that a process may be killed at
any instant. The folders are named as Hive names partitions: pyarrow, DuckDB, Spark and pandas read ``day`` as a column.
"""

from flightworthy.adapters.prediction_files.compaction import Compacted, Left, PredictionCompaction
from flightworthy.adapters.prediction_files.erasing import PredictionErasure
from flightworthy.adapters.prediction_files.reading import PREDICTION, BrokenLine, PredictionFiles, PredictionWindow

__all__ = [
    "PREDICTION",
    "BrokenLine",
    "Compacted",
    "Left",
    "PredictionCompaction",
    "PredictionErasure",
    "PredictionFiles",
    "PredictionWindow",
]
