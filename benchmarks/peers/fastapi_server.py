"""What is most often written by hand: FastAPI, a pydantic body, a pandas frame, a joblib file."""

import os
from typing import Any

import joblib  # type: ignore[import-untyped]
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

model: Any = joblib.load(os.environ["BENCHMARK_MODEL"])
app = FastAPI()


class Split(BaseModel):
    """A frame: the names of its columns, and its rows."""

    columns: list[str]
    data: list[list[float]]


class Body(BaseModel):
    """The body that ``mlflow models serve`` takes."""

    dataframe_split: Split


# Not a plain def: that would go through a thread, which costs a request more than the model does.
@app.post("/invocations")
async def invocations(body: Body) -> dict[str, list[float]]:
    """P(positive) of each row."""
    frame = pd.DataFrame(body.dataframe_split.data, columns=body.dataframe_split.columns)
    return {"predictions": model.predict_proba(frame)[:, 1].tolist()}
