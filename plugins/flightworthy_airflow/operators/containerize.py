"""Put a registered version into a container: the model, its server, and exactly the locked packages it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.references import VersionReference, unpack
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe

__all__ = ["ContainerizeOperator"]


class ContainerizeOperator(BaseOperator):
    """Lays the build context out, builds the image, and writes the image's digest on the version.

    Beside them it leaves a bill of materials and a provenance statement. Where a verifying key is set, an artifact that
    was not signed with it is refused.

    Without a Docker engine the context is still laid out, the task is skipped and says why, and the release runs
    the same server from the same files as a process. A backfilled version is not packaged.

    :param model: the model's name
    :param version: the output of ``register``
    """

    template_fields: Sequence[str] = ("version",)

    def __init__(
        self,
        *,
        model: str,
        version: Any,
        conn_id: str = FlightworthyHook.default_conn_name,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.version = version
        self.conn_id = conn_id
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> str:
        from flightworthy_airflow.hooks.releases import package

        if not describe(context).intent.may_release:
            raise AirflowSkipException(
                "a backfill registers versions and releases none, so there is nothing to package"
            )
        hook, mlflow = FlightworthyHook(self.conn_id), MlflowHook(self.mlflow_conn_id)
        with refusals_fail():
            number = unpack(VersionReference, self.version).version
            packaged = package(hook, mlflow, hook.spec(self.model), number, progress=self._say)
        image = packaged.image
        if image is None:
            raise AirflowSkipException(packaged.why_no_image)
        self.log.info("image %s digest=%s reused=%s", image.tag, image.digest, image.reused)
        return image.digest

    def _say(self, line: str) -> None:
        self.log.info("%s", line)
