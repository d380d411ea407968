"""The fitted law of a learning curve: monotone, bounded, and right where errors follow one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.training.folds.power_law import fit_power_laws

ERRORS = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=4)


@given(errors=ERRORS, first=st.integers(5, 10_000))
def test_a_fitted_error_never_grows_with_the_rows_and_stays_above_0(
    errors: list[float], first: int
) -> None:
    rows = np.array([first * 2.0**point for point in range(len(errors))])
    law = fit_power_laws(rows, np.array([errors]))
    fitted = [float(law.error(rows[-1] * factor)[0]) for factor in (0.5, 1.0, 2.0, 1000.0)]
    assert fitted == sorted(fitted, reverse=True)
    assert fitted[-1] >= 0.0


@given(errors=st.lists(ERRORS.filter(lambda each: len(each) == 3), min_size=1, max_size=5))
def test_laws_are_fitted_one_by_one(errors: list[list[float]]) -> None:
    rows = np.array([25.0, 50.0, 100.0])
    together = fit_power_laws(rows, np.array(errors)).error(200.0)
    alone = [fit_power_laws(rows, np.array([each])).error(200.0)[0] for each in errors]
    assert together == pytest.approx(alone)


@pytest.mark.parametrize("exponent", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("asymptote", [0.0, 0.1])
def test_errors_that_follow_a_law_give_that_law(exponent: float, asymptote: float) -> None:
    rows = np.array([125.0, 250.0, 500.0, 1000.0])
    law = fit_power_laws(rows, (asymptote + 2.0 * rows**-exponent)[None])
    assert law.exponent[0] == pytest.approx(exponent)
    assert law.asymptote[0] == pytest.approx(asymptote, abs=1e-9)
    assert law.error(2000.0)[0] == pytest.approx(asymptote + 2.0 * 2000.0**-exponent)


def test_with_three_points_the_error_approaches_0() -> None:
    rows = np.array([25.0, 50.0, 100.0])
    law = fit_power_laws(rows, np.array([[0.4, 0.31, 0.3]]))
    assert law.asymptote[0] == 0.0


@pytest.mark.parametrize("points", [2, 4])
def test_a_constant_error_stays(points: int) -> None:
    law = fit_power_laws(np.array([50.0, 100.0, 200.0, 400.0][:points]), np.full((1, points), 0.3))
    assert law.error(10_000.0)[0] == pytest.approx(0.3)
