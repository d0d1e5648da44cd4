from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
from pyspark import cloudpickle

from flightworthy.adapters.gx_suites import executed_rules
from flightworthy.adapters.gx_suites.spark_session import session_of
from flightworthy.errors import SpecError


@pytest.mark.parametrize(
    "master, told",
    [
        (None, r"nobody said where Spark is\. Set FLIGHTWORTHY_SPARK_MASTER"),
        ("sc://spark:15002", "sc://spark:15002 is a Spark Connect server"),
    ],
)
def test_a_suite_on_spark_needs_to_be_told_where_spark_is(master, told, tmp_path, monkeypatch):
    """By the installation: it is an error of its settings, and no retry mends it."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SpecError, match=told):
        session_of(master)


def test_a_worker_without_java_says_so(tmp_path, monkeypatch):
    """Before Spark tries to start, whose own message names neither Java's version nor the way out."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SpecError, match=r"there is no Java\. Install Java 17 or newer"):
        session_of("local[1]")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(SpecError, match=r"there is no Java at .*jdk/bin/java"):
        session_of("local[1]")


def test_a_worker_without_pyspark_says_which_extra_is_missing(monkeypatch):
    """The extra is one that few need."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(SpecError, match=r"PySpark is not installed\. Install flightworthy\[spark\]"):
        session_of("local[1]")


TRY = """
import sys
sys.modules.update(dict.fromkeys(["flightworthy", "great_expectations"]))
import pickle, pyarrow as pa
told = pickle.load(sys.stdin.buffer)
print([rule(pa.array(values)).to_pylist() for rule, values in told])
"""


def test_rules_run_where_there_is_no_flightworthy():
    """An executor has pyarrow, and what a rule names: the rules themselves travel."""
    cloudpickle.register_pickle_by_value(executed_rules)
    told = [
        (executed_rules.matches([("^a", False), ("(?=b)b$", True)], every=True), ["ab", "a", None, "ba"]),
        (executed_rules.is_json, ["{}", "{", None]),
        (executed_rules.is_of_schema({"type": "object"}), ["{}", "[]"]),
        (executed_rules.is_of_format("%Y-%m-%d"), ["2026-01-01", "01.01.2026"]),
        (executed_rules.is_date, ["1 Jan 2026", "whenever"]),
        (executed_rules.lengths, [True, False]),
    ]
    done = subprocess.run(
        [sys.executable, "-c", TRY], input=cloudpickle.dumps(told), capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == str(
        [[True, False, None, False], [True, False, None], [True, False], [True, False], [True, False], [4, 5]]
    )


def test_a_rule_says_of_numbers_what_it_says_of_their_text():
    """As pandas writes them: a float has its point, a truth its capital."""
    rule = executed_rules.matches([(r"\.0$|^T", False)], every=False)
    assert rule(pa.array([1.0, 2.5, None])).to_pylist() == [True, False, None]
    assert rule(pa.array([True, False])).to_pylist() == [True, False]
