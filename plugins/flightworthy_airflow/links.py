"""Links from a task in the Airflow UI to what it left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from airflow.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

__all__ = ["MlflowLink", "ReportLink", "report_url"]


def report_url(path: str) -> str:
    """Where the web server shows the report at ``path`` (relative to the reports folder)."""
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/flightworthy/reports/{path}"


@attrs.define()
class ReportLink(BaseOperatorLink):
    """To the HTML report of this very try; the operator leaves its path in ``report_path``."""

    name: str = "Report"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        path = getattr(operator, "report_path", None)
        return report_url(path) if path else ""


@attrs.define()
class MlflowLink(BaseOperatorLink):
    """To the run or version in MLflow; the operator leaves the address in ``mlflow_url``."""

    name: str = "MLflow"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        return getattr(operator, "mlflow_url", None) or ""
