"""BentoML as its manual shows it: a service class with one API."""

import os

import bentoml  # type: ignore[import-not-found]
import joblib  # type: ignore[import-untyped]
import pandas as pd
from pydantic import BaseModel


class Split(BaseModel):
    """A frame: the names of its columns, and its rows."""

    columns: list[str]
    data: list[list[float]]


@bentoml.service(traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Service:
    """One joblib model."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["BENCHMARK_MODEL"])

    @bentoml.api(route="/invocations")  # type: ignore[untyped-decorator]
    def invocations(self, dataframe_split: Split) -> dict[str, list[float]]:
        """P(positive) of each row."""
        frame = pd.DataFrame(dataframe_split.data, columns=dataframe_split.columns)
        return {"predictions": self.model.predict_proba(frame)[:, 1].tolist()}
