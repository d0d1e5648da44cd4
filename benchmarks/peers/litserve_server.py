"""LitServe as its manual shows it: an API that decodes, predicts and encodes."""

import os
import sys
from typing import Any

import joblib  # type: ignore[import-untyped]
import litserve  # type: ignore[import-not-found]
import pandas as pd


class Api(litserve.LitAPI):  # type: ignore[misc]
    """One joblib model."""

    def setup(self, device: str) -> None:
        """Load it, in each worker."""
        self.model = joblib.load(os.environ["BENCHMARK_MODEL"])

    def decode_request(self, request: dict[str, Any]) -> pd.DataFrame:
        """The body that ``mlflow models serve`` takes, as a frame."""
        split = request["dataframe_split"]
        return pd.DataFrame(split["data"], columns=split["columns"])

    def predict(self, frame: pd.DataFrame) -> Any:
        """P(positive) of each row."""
        return self.model.predict_proba(frame)[:, 1]

    def encode_response(self, output: Any) -> dict[str, list[float]]:
        """As the others say it."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path="/invocations"), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False,
        log_level="warning", access_log=False,
    )  # fmt: skip
