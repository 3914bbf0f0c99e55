"""Statistics of verdicts against formulas worked by hand, SciPy, and chance itself."""

import numpy as np
import pytest
from scipy.stats import binomtest, wilcoxon

from reelworld.core.errors import ConfigError
from reelworld.evaluate.score import Score, Share, difference, holm, kappa


def test_error_is_clustered_by_prompt():
    one = Share.of([1, 1, 0, 0], [0, 1, 2, 3])
    assert one.error == pytest.approx((4 * 0.25) ** 0.5 / 4)
    alike = Share.of([1, 1, 0, 0], [0, 0, 1, 1])  # two prompts whose clips agree: half as much is known
    assert alike.error == pytest.approx((1.0 + 1.0) ** 0.5 / 4)
    against = Share.of([1, 0, 1, 0], [0, 0, 1, 1])  # prompts that are the same: chance is within them
    assert against.error == 0.0


def test_interval_is_wilsons_where_each_prompt_has_one_clip():
    for passed, count in ((0, 20), (3, 20), (20, 20)):
        share = Share.of([1.0] * passed + [0.0] * (count - passed), range(count))
        wanted = binomtest(passed, count).proportion_ci(method="wilson")
        np.testing.assert_allclose(share.interval, (wanted.low, wanted.high), atol=1e-9)


def test_seeds_of_one_prompt_do_not_count_as_prompts():
    share = Share.of([1.0] * 40, np.repeat(range(10), 4))
    np.testing.assert_allclose(share.interval, Share.of([1.0] * 10, range(10)).interval)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    prompts, held = np.repeat(np.arange(50), 4), []
    for _ in range(400):
        chance = np.clip(rng.normal(0.6, 0.3, 50), 0.0, 1.0)  # easy prompts and hard ones
        low, high = Share.of(rng.random(200) < chance[prompts], prompts).interval
        held.append(low <= 0.59 <= high)  # the mean of the clipped normal
    assert 0.91 < np.mean(held) < 0.98


def test_score_puts_floor_at_zero_and_ceiling_at_one():
    for mean, wanted in ((0.2, 0.0), (0.6, 0.5), (1.0, 1.0)):
        assert Score(Share(mean, 0.01, 100, 25), ceiling=1.0, floor=0.2).value == pytest.approx(wanted)
    score = Score(Share(0.6, 0.05, 100, 25), ceiling=1.0, floor=0.2)
    low, high = score.interval
    assert low < score.value < high
    assert high - low == pytest.approx(np.diff(score.share.interval)[0] / 0.8)


def test_a_check_that_cannot_tell_truth_from_chance_has_no_score():
    score = Score(Share(0.9, 0.05, 100, 25), ceiling=0.93, floor=0.9)
    assert not score.measured
    assert np.isnan(score.value)
    assert np.isnan(score.interval).all()


def test_difference_of_few_prompts_tries_all_signs():
    found = difference([0, 0, 0, 0, 0], [1, 1, 1, 1, 1], range(5))
    assert found.mean == 1.0
    assert found.p == pytest.approx(2 / 2**5)  # all to one side, or all to the other
    same = difference([0, 1, 1], [0, 1, 1], range(3))
    assert (same.mean, same.p) == (0.0, 1.0)


def test_difference_agrees_with_scipy_and_is_fair():
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 40))
    wanted = wilcoxon(a, b + 0.15).pvalue
    assert difference(a, b + 0.15, range(40)).p == pytest.approx(wanted, abs=0.08)
    chances = [difference(*rng.integers(0, 2, (2, 30)), range(30), seed=n).p for n in range(150)]
    assert np.mean(np.array(chances) <= 0.05) < 0.1


def test_difference_refuses_other_prompts():
    with pytest.raises(ConfigError, match="same prompts"):
        difference([1, 0], [1], [0, 1])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_kappa_by_hand():
    assert kappa([1, 1, 0, 0], [1, 0, 0, 0]) == pytest.approx((0.75 - 0.5) / 0.5)
    assert kappa([1, 0, 1, 0], [0, 1, 0, 1]) == pytest.approx(-1.0)
    assert kappa([1, 1], [1, 1]) == 1.0
    with pytest.raises(ConfigError):
        kappa([], [])


def test_nothing_judged_is_told():
    with pytest.raises(ConfigError, match="at least"):
        Share.of([], [])
