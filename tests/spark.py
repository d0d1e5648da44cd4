"""A real Spark for tests: a driver in this process and two executors in processes of their own."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).with_name("spark_configuration")


@contextmanager
def running_spark() -> Iterator[str]:
    """The master to name; the session that is made there ends with this. Skips where there is no Java."""
    if shutil.which("java") is None:
        pytest.skip("there is no Java to run Spark with")
    before = {name: os.environ.get(name) for name in ("SPARK_CONF_DIR", "SPARK_LOCAL_IP", "PYSPARK_PYTHON")}
    os.environ.update({"SPARK_CONF_DIR": str(CONFIGURATION), "SPARK_LOCAL_IP": "127.0.0.1"})
    try:
        yield "local-cluster[2,1,1024]"
    finally:
        _stop()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _stop() -> None:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if (session := SparkSession.getActiveSession()) is None:
        return
    gateway = SparkContext._gateway  # nothing else ends its process before this one
    session.stop()
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
        SparkContext._gateway = SparkContext._jvm = None
    del session, gateway
    gc.collect()  # what it left unclosed, here and not in another test
