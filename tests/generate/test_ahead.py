"""Videos made ahead by other processes are those that are made here."""

import os
import signal

import numpy as np
import pytest

from reelworld.core.errors import ConfigError, DeviceError
from reelworld.generate.ahead import made_ahead

ASKED = [("a red ball", 3), ("a blue box", 1), ("a red ball", 4)]


def test_they_come_in_order_and_are_the_same_as_here(weights, pipeline):
    with made_ahead(weights, ASKED, workers=2) as make:
        made = [make(prompt, seed=seed)[0] for prompt, seed in ASKED]
        with pytest.raises(ConfigError, match="not what was to be asked for next"):
            make("a red ball", seed=5)
    for (prompt, seed), video in zip(ASKED, made, strict=True):
        (here,) = pipeline(prompt, seed=seed)
        assert (
            np.abs(video.frames.astype(int) - here.frames).max() <= 1
        )  # other numbers of threads add otherwise
        assert {**video.metadata} == {**here.metadata}


def test_another_order_is_refused(weights):
    with made_ahead(weights, ASKED, workers=1) as make, pytest.raises(ConfigError, match="seed 1 of 'a blue"):
        make("a blue box", seed=1)
    with pytest.raises(ConfigError, match="0 workers"), made_ahead(weights, ASKED, workers=0):
        pass


def test_a_worker_that_is_killed_is_told(weights):
    many = [("a red ball", seed) for seed in range(50)]
    with made_ahead(weights, many, workers=1) as make:
        make("a red ball", seed=0)
        for process in make.pool._processes.values():
            os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(DeviceError, match="a worker was killed"):
            all(make(prompt, seed=seed) for prompt, seed in many[1:])
