"""Studies: what is drawn, kept, pruned, shared, and given up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from embedclf.config.fields import Range
from embedclf.errors import TuningError
from embedclf.tuning.study import Study, metric_of, opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from embedclf.tuning.optuna_trials import RunningTrial
    from embedclf.tuning.space import Settings, Space, Trial

SPACE: Space = {
    "rate": Range(low=0.001, high=1.0, log=True),
    "pooling": ["a", "b", None],
    "noise": [[1], [2]],
}
OWN: Settings = {"rate": 0.5, "pooling": None, "noise": [2]}
OF = {"table": "x", "metric": "accuracy"}


def study_in(folder: Path, *, space: Space = SPACE, **of: str) -> AbstractContextManager[Study]:
    return opened(folder, OF | of, space=space, lower=False, seed=3)


def begin(study: Study, most: int | None = None) -> RunningTrial | None:
    own = {key: OWN[key] for key in study.space}
    running: RunningTrial | None = study.begin(own, lambda drawn: drawn, most)
    return running


def worth(settings: Settings) -> float:
    rate: float = settings["rate"]
    return rate + (0.01 if settings["pooling"] == "a" else 0.0)


def search(study: Study, most: int) -> list[Trial]:
    ended = []
    while (running := begin(study, most)) is not None:
        ended.append(running.complete(worth(running.settings), loss=1.0))
    return ended


def test_the_first_trial_is_the_config_and_the_best_is_found(tmp_path: Path) -> None:
    with study_in(tmp_path / "s") as study:
        assert study.best() is None
        ended = search(study, 15)
        assert ended[0].settings == OWN
        assert [one.number for one in ended] == list(range(1, 16))
        assert study.trials() == ended
        best = study.best()
        assert best is not None
        assert best.score == max(worth(one.settings) for one in ended) > worth(OWN)
    assert sorted(file.name for file in (tmp_path / "s").iterdir()) == [".lock", "study.db"]


def test_what_matters_is_told_once_there_is_enough(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        search(study, 9)
        assert study.importance() is None
        search(study, 20)
        shares = study.importance()
    assert shares is not None
    assert next(iter(shares)) == "rate"
    assert sum(shares.values()) == pytest.approx(1.0)


def test_a_study_that_was_closed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    with study_in(tmp_path / "whole") as study:
        whole = search(study, 12)
    broken = []
    for most in (3, 3, 12):
        with study_in(tmp_path / "broken") as study:
            broken += search(study, most)
    assert broken == whole
    assert metric_of(tmp_path / "broken") == "accuracy"
    assert metric_of(tmp_path / "none") is None


def test_of_equal_scores_the_lower_loss_wins_and_then_the_first(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        for loss in (0.5, 0.3, 0.3):
            running = begin(study)
            assert running is not None
            running.complete(0.8, loss=loss)
        best = study.best()
    assert best is not None
    assert best.number == 2


def test_a_trial_that_goes_badly_is_ended_early_and_one_that_goes_well_is_not(
    tmp_path: Path,
) -> None:
    with study_in(tmp_path) as study:
        for loss in (0.5, 0.4, 0.3, 0.6, 0.2):
            running = begin(study)
            assert running is not None
            assert not any(running.goes_badly(epoch, loss) for epoch in (1, 2, 3))
            running.complete(1 - loss, loss=loss)
        bad, good = begin(study), begin(study)
        assert bad is not None
        assert good is not None
        assert [bad.goes_badly(epoch, 0.9) for epoch in (1, 2)] == [False, True]
        assert not any(good.goes_badly(epoch, 0.3) for epoch in (1, 2, 3))
        ended = bad.prune(epochs=2, loss=0.9)
        assert (ended.state, ended.score, ended.counts) == ("pruned", None, True)


def test_a_trial_that_cannot_be_trained_says_why(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        running = begin(study)
        assert running is not None
        ended = running.prune(reason="too large")
        assert (ended.state, ended.reason, ended.counts) == ("failed", "too large", True)


def test_a_trial_given_up_comes_again_before_others_and_does_not_count(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        search(study, 2)
        running = begin(study, 3)
        assert running is not None
        running.give_up()
        again = begin(study, 3)
        assert again is not None
        assert again.settings == running.settings
        assert begin(study, 3) is None
        again.complete(0.1, loss=1.0)
        assert [one.state for one in study.trials()] == [*["complete"] * 2, "given up", "complete"]


def test_a_trial_that_is_finished_is_not_given_up_any_more(tmp_path: Path) -> None:
    with study_in(tmp_path) as study:
        running = begin(study)
        assert running is not None
        ended = running.complete(0.5, loss=1.0)
        running.give_up()
        assert study.trials() == [ended]
        following = begin(study)
        assert following is not None
        assert following.settings != running.settings


def test_two_at_once_share_the_work_and_leave_each_other_s_trials(tmp_path: Path) -> None:
    with study_in(tmp_path) as first, study_in(tmp_path) as second:
        one, other = begin(first), begin(second)
        assert one is not None
        assert other is not None
        assert {one.number, other.number} == {1, 2}
        third = begin(first)
        assert third is not None
        assert [trial.state for trial in second.trials()] == ["running"] * 3
        for running in (one, other, third):
            running.complete(0.5, loss=1.0)
        with ThreadPoolExecutor(2) as pool:
            shares = [pool.submit(search, study, 12) for study in (first, second)]
            ended = [trial.number for share in shares for trial in share.result()]
        assert sorted(ended) == list(range(4, 13))
        assert not first.resign()
        assert second.resign()


def test_the_trial_of_a_process_that_died_is_tried_again(tmp_path: Path) -> None:
    with left_running(tmp_path) as settings, study_in(tmp_path) as study:
        again = begin(study, 1)
        assert again is not None
        assert again.settings == settings
        assert [trial.state for trial in study.trials()] == ["given up", "running"]


@contextmanager
def left_running(folder: Path) -> Iterator[Settings]:
    """A study whose only process is gone, as after a kill."""
    with study_in(folder) as study:
        running = begin(study)
        assert running is not None
    yield running.settings


def test_all_combinations_are_enough(tmp_path: Path) -> None:
    space: Space = {"pooling": ["a", None], "noise": [[1], [2]]}
    seen = []
    with study_in(tmp_path, space=space) as study:
        while (running := begin(study, 500)) is not None:
            seen.append(str(running.settings))
            running.complete(0.5, loss=1.0)
    assert len(set(seen)) == 4
    assert set(seen[:-1]) != set(seen)


@pytest.mark.parametrize(("of", "told"), [({"table": "y"}, "table"), ({"metric": "f1"}, "metric")])
def test_the_study_of_something_else_is_refused(
    tmp_path: Path, of: dict[str, Any], told: str
) -> None:
    with study_in(tmp_path):
        pass
    with (
        pytest.raises(TuningError, match=f"holds a study of another {told}; name another folder"),
        study_in(tmp_path, **of),
    ):
        pass


def test_a_file_that_is_no_study_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"what is this" * 100)
    with (
        pytest.raises(TuningError, match=r"study\.db: file is not a database; "),
        study_in(tmp_path),
    ):
        pass
    with (
        pytest.raises(TuningError, match="name a folder that can be written to with -o"),
        study_in(tmp_path / "study.db"),
    ):
        pass
