"""Judging a canary: is the challenger's arm worse than the champion's, on attempts rather than on what users saw.

The router retries a failed attempt on the champion, so users see no error from a challenger that fails every request;
its attempts show it. Three verdicts, and automation may only abort early, never promote early:

* *unhealthy*: a criterion is beyond chance and beyond what is allowed;
* *inconclusive*: too little traffic, evidence that is asked for and missing, or something over its limit that may still
  be chance: hold;
* *healthy*: every criterion has its evidence, and none of the above.

``pairs`` and ``shadow`` are for the step before, in which both answer the same requests and users get the champion's.
``samples`` is what is known of an arm; ``odds``, ``limits`` and ``ranks`` are the statistics; ``criteria``, ``answers``
and ``bounds`` are what is judged by them; ``judge`` puts the findings together; ``verdict`` is what comes out.
"""

from flightworthy.canary.answers import Training
from flightworthy.canary.judge import FALSE_ALARMS, UNKNOWN, Judge, no_metrics
from flightworthy.canary.pairs import Answered, Pairs
from flightworthy.canary.samples import Arm, ArmCounts, ArmSample, Bins, binned
from flightworthy.canary.shadow import ShadowJudge
from flightworthy.canary.verdict import Finding, Judgement, Verdict

__all__ = [
    "FALSE_ALARMS",
    "UNKNOWN",
    "Answered",
    "Arm",
    "ArmCounts",
    "ArmSample",
    "Bins",
    "Finding",
    "Judge",
    "Judgement",
    "Pairs",
    "ShadowJudge",
    "Training",
    "Verdict",
    "binned",
    "no_metrics",
]
