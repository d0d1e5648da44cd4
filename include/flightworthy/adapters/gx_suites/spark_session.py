"""The Spark session of this process: its master comes from whoever runs Flightworthy, all else from Spark's own files.

`spark-defaults.conf` in `SPARK_CONF_DIR` counts, as it does for every program of Spark's.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flightworthy.errors import SpecError, Unavailable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["session_of"]

_OURS: Final = {
    "spark.app.name": "flightworthy expectations",
    "spark.sql.session.timeZone": "UTC",
    # A partition may hold both `age` and `Age`; a suite means one of them.
    "spark.sql.caseSensitive": "true",
    # Its pages know no login; and a progress bar is nothing for a log.
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def session_of(master: str | None) -> SparkSession:
    """The session on ``master``, made when first asked for; it ends with the process.

    Raises SpecError where there can be none, and Unavailable where the master does not answer.
    """
    master = _refused_without(master)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if master.startswith("local"):
        # Workers on this machine are to run what this process runs, not whatever python3 the PATH has.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master)
    for name, value in _OURS.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (Py4JError, PySparkException) as error:
        reason = str(error).splitlines()[0]
        raise Unavailable(
            f"Spark at {master} gave no session: {reason}. No expectation was checked. See that the master runs and "
            "that its Java is 17 or newer; then run the task again.",
            master=master,
            reason=reason,
        ) from error


def _refused_without(master: str | None) -> str:
    if find_spec("pyspark") is None:
        raise SpecError(
            "The suite asks for `engine: spark`, and PySpark is not installed. Install flightworthy[spark], "
            "or say `engine: duckdb`.",
            key="engine",
        )
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin", "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise SpecError(
            f"The suite asks for `engine: spark`, and there is no Java{f' at {java}' if java else ''}. Install Java 17 "
            "or newer and put it on the PATH, or name its folder in JAVA_HOME; or say `engine: duckdb`.",
            key="engine",
        )
    if master is None or master.startswith("sc:"):
        said = "nobody said where Spark is" if master is None else f"{master} is a Spark Connect server"
        raise SpecError(
            f"The suite asks for `engine: spark`, and {said}. Set FLIGHTWORTHY_SPARK_MASTER, or `spark_master` in the "
            "extra of the connection flightworthy_default, to a master such as spark://host:7077, yarn or local[2].",
            key="engine",
        )
    return master
