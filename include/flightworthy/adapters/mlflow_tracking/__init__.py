"""MLflow records training runs and numbers model versions; what is released is not its business."""

from __future__ import annotations

import os

# Read while mlflow is imported, by the modules below. Nobody's training is reported to anyone unless they ask for it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
