"""Write a fitted classifier as a folder from which a server predicts the same, in the best form that is proven to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flightworthy.adapters.model_artifacts.fitted import FittedModel
from flightworthy.adapters.model_artifacts.parity import Evidence, Predictor, evidence_of, measure
from flightworthy.adapters.model_artifacts.positions import by_position
from flightworthy.adapters.model_artifacts.rows import as_text, golden_of, rows_of
from flightworthy.adapters.model_artifacts.seen import seen_of
from flightworthy.artifact import CONTRACT, GOLDEN, REFERENCE, canonical, seal
from flightworthy.errors import ArtifactRefused, Refused
from flightworthy.evaluation import Scored
from flightworthy.runtime import RUNTIME, Candidate, Choice, Parity, choose_runtime
from flightworthy.spec import Spec
from flightworthy.training import Frames, Packager, TrainingOrder, contract_of

__all__ = ["PREDICTION", "ModelArtifacts"]

PREDICTION = "prediction"
"""Column of reference.parquet that holds the predictions of the training rows, beside the features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArtifacts:
    """Implements ``training.Artifacts`` over packagers of several runtimes, the preferred ones first.

    ``load``: how a server loads a sealed folder; all that is proven here is proven of what it returns.
    """

    packagers: Sequence[Packager]
    load: Callable[[Path], Predictor]

    def write(self, folder: Path, order: TrainingOrder, fitted: Any, frames: Frames) -> None:
        """Write model, runtime, contract, golden requests and drift reference, then seal ``folder``.

        Raises ModelCodeError where the model fails on the rows it is given, or where no runtime answers as it does.
        """
        spec = order.spec
        contract = contract_of(spec)
        contract["output"]["classes"] = np.asarray(fitted.classes_).tolist()
        for said in contract["features"]:
            seen = None if "personal" in said else seen_of(spec.features[said["name"]], frames.training[said["name"]])
            said.update({} if seen is None else {"seen": seen})
        (folder / CONTRACT).write_bytes(canonical(contract))
        evidence = evidence_of(FittedModel(spec=spec, estimator=fitted), frames)
        choice = choose_runtime(spec.model, self._candidates(folder, spec, by_position(fitted), evidence))
        predictions = self._sealed_as(folder, choice).predict(rows_of(spec, frames.training))
        (folder / GOLDEN).write_bytes(canonical(golden_of(spec, frames.training, predictions)))
        reference = frames.training[list(spec.features)].assign(**{PREDICTION: predictions})
        reference.to_parquet(folder / REFERENCE, index=False)
        seal(folder)

    def score(self, folder: Path, spec: Spec, frame: pd.DataFrame) -> Scored:
        """Predict ``frame`` with the artifact in ``folder``, as its server would. Raises ArtifactRefused, Refused."""
        unlabelled = int(frame[spec.target].isna().sum())
        if unlabelled:
            raise Refused(
                f"{spec.model}: {unlabelled} of {len(frame)} rows have no {spec.target}, so predictions cannot be held "
                "against it. Let suite.yaml refuse rows without a label, or leave them out of the source.",
                model=spec.model,
                rows=len(frame),
                unlabelled=unlabelled,
            )
        return Scored(
            labels=(frame[spec.target] == spec.positive).astype(int).tolist(),
            predictions=self.load(folder).predict(rows_of(spec, frame)).tolist(),
            slices={name: as_text(frame[name]) for name in spec.evaluation.slices},
        )

    def _candidates(self, folder: Path, spec: Spec, estimator: Any, evidence: Evidence) -> Iterator[Candidate]:
        """Each form of each runtime, written, sealed, loaded as a server does, and measured; one at a time."""
        for packager in self.packagers:
            for form in packager.forms:
                for path in folder.iterdir():
                    if path.name != CONTRACT:
                        path.unlink()
                why = packager.write(folder, spec.features, estimator, form)
                found = why or self._measured(folder, packager, form, evidence)
                yield Candidate(
                    runtime=packager.runtime,
                    form=form,
                    tolerance=packager.tolerance,
                    parity=found if isinstance(found, Parity) else None,
                    why="" if isinstance(found, Parity) else found,
                )

    def _measured(self, folder: Path, packager: Packager, form: str, evidence: Evidence) -> Parity | str:
        trial = Choice(
            runtime=packager.runtime,
            form=form,
            rows=0,
            worst_difference=0.0,
            tolerance=packager.tolerance,
            rejected=(),
        )
        try:
            packaged = self._sealed_as(folder, trial)
        except ArtifactRefused as refusal:
            return f"is not loaded by a server ({refusal.facts.get('why', refusal)})"
        return measure(packaged, evidence)

    def _sealed_as(self, folder: Path, choice: Choice) -> Predictor:
        (folder / RUNTIME).write_bytes(canonical(choice.pack()))
        seal(folder)
        return self.load(folder)
