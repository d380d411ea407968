"""The thresholds of a run, shown and chosen again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from embedclf.errors import RequestError
from embedclf.evaluation.scored_rows import as_trained, rows_of, score_rows, validation
from embedclf.evaluation.scores import compute_scores
from embedclf.evaluation.thresholds import USUAL, best, choose, plain_rule, read_rule

if TYPE_CHECKING:
    from embedclf.config.fields import Threshold
    from embedclf.evaluation.scored_rows import ScoredRows
    from embedclf.evaluation.thresholds import ThresholdCurve
    from embedclf.runs.run import Run


@dataclass(frozen=True)
class ThresholdOption:
    """A rule, and what it comes to for a label, at one threshold."""

    label: str
    rule: Threshold
    curve: ThresholdCurve
    taken: bool
    """Whether the run decides so."""


@dataclass(frozen=True)
class ThresholdTable:
    """What thresholds come to on the validation rows of a run."""

    place: str
    refitted: bool
    """Whether the run has learned from the rows since."""
    rows: int
    rule: Threshold
    """By which the run decides."""
    thresholds: tuple[float, ...]
    """(outputs,)"""
    choices: tuple[ThresholdOption, ...]


def parse_rule(given: str) -> Threshold:
    """Read a rule as it is typed: `f1`, `0.3`, `precision=0.9`, `cost=1:10`.

    Raises:
        RequestError: It is none.
    """
    name, equals, value = given.partition("=")
    plain: Any = name
    try:
        if name == "cost":
            costs = map(float, value.split(":"))
            plain = {name: dict(zip(("false_positive", "false_negative"), costs, strict=True))}
        elif equals:
            plain = {name: float(value)}
        elif not name.isidentifier():
            plain = float(name)
        return read_rule(plain)
    except (ValueError, ValidationError) as error:
        raise RequestError(
            f"--metric {given}: must be f1, micro_f1, youden, a number between 0 and 1, "
            "precision=0.9, recall=0.95 or cost=1:10 (of a false positive : of a false negative)"
        ) from error


def threshold_table(run: Run) -> ThresholdTable:
    """Tell what thresholds come to on a run's validation rows.

    With two labels that is what each usual rule comes to for the positive one; with several labels
    a row what each has now, and what 0.5 would come to.

    Raises:
        RequestError: The run gives the likeliest label, without a threshold.
        RunError: The validation rows are not to be had any more.
        DataError: Their table cannot be used.
    """
    _check_decides(run)
    return _weighed(run, score_rows(run, validation(run, run.config())))


def set_threshold(run: Run, rule: Threshold) -> ThresholdTable:
    """Choose the thresholds of a run anew on its validation rows, and measure it with them.

    The test rows are measured again too, where their table is what it was; else their scores are
    dropped, as they are not those of the run any more.

    Raises:
        RequestError: As `threshold_table`, and the others too.
    """
    _check_decides(run)
    config = run.config()
    scored = score_rows(run, validation(run, config))
    thresholds = choose(scored.classifier.labels, scored.targets, scored.probabilities, rule)
    metrics = {"validation": _measured(scored, thresholds)}
    test = config.data.test
    if test is not None and as_trained(run, "test", test):
        metrics["test"] = _measured(score_rows(run, rows_of(config, test)), thresholds)
    plain = plain_rule(rule)
    run.decide({"rule": plain, "thresholds": thresholds}, metrics)
    return _weighed(run, scored)


def _check_decides(run: Run) -> None:
    if run.record["task"] == "multiclass":
        raise RequestError(
            f"{run.path}: of {len(run.record['labels'])} labels the likeliest is given, "
            "whatever its probability; thresholds are for two labels, or for several in a row"
        )


def _measured(scored: ScoredRows, thresholds: tuple[float, ...]) -> dict[str, Any]:
    labels = scored.classifier.deciding(thresholds).labels
    return compute_scores(
        labels, scored.targets, scored.probabilities, scored.unknown_labels
    ).to_json()


def _weighed(run: Run, scored: ScoredRows) -> ThresholdTable:
    decision, labels = run.decision(), scored.classifier.labels
    rule = read_rule(decision["rule"])
    thresholds = tuple(decision["thresholds"]) or (0.5,) * labels.outputs
    rules = dict.fromkeys([*USUAL, rule]) if labels.task == "binary" else [0.5]
    columns = zip(labels.present(scored.targets).T, scored.probabilities.T, strict=True)
    names = labels.names[-labels.outputs :]
    choices = []
    for name, cut, (came, probabilities) in zip(names, thresholds, columns, strict=True):
        taken = ThresholdOption(name, rule, best(came, probabilities, cut), taken=True)
        others = (one for one in rules if one != rule)
        choices += [
            taken,
            *(
                ThresholdOption(name, one, best(came, probabilities, one), taken=False)
                for one in others
            ),
        ]
    return ThresholdTable(
        scored.place.name,
        run.refitted,
        len(scored),
        rule,
        thresholds,
        tuple(choices),
    )
