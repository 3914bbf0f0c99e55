import json
from pathlib import Path

import pytest
import torch

from reelworld.core import runtime
from reelworld.core.errors import ConfigError, DeviceError


def test_device_names() -> None:
    assert runtime.device("cpu") == torch.device("cpu")
    assert runtime.device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("gpu", "cuda:99", "cpu cpu"):
        with pytest.raises(DeviceError, match="use auto"):
            runtime.device(name)


def test_generator_starts_from_its_seed() -> None:
    first, again, other = (torch.rand(4, generator=runtime.generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    for seed in (-1, 2**63, 1.5):
        with pytest.raises(ConfigError, match="seed"):
            runtime.generator(seed)  # type: ignore[arg-type]


def test_threads_can_be_set() -> None:
    before = torch.get_num_threads()
    assert runtime.set_threads(1) == torch.get_num_threads() == 1
    assert runtime.set_threads() == runtime.num_cores() >= 1
    with pytest.raises(ConfigError):
        runtime.set_threads(0)
    torch.set_num_threads(before)


def test_environment_gives_ranks_and_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "REELWORLD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert (runtime.rank(), runtime.local_rank(), runtime.world_size()) == (0, 0, 1)
    assert runtime.cache_dir() == Path.home() / ".cache" / "reelworld"
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert runtime.cache_dir() == Path("/xdg/reelworld")
    monkeypatch.setenv("REELWORLD_CACHE", "/own")
    monkeypatch.setenv("RANK", "3")
    assert (runtime.cache_dir(), runtime.rank()) == (Path("/own"), 3)


def test_hardware_is_json_and_names_what_a_benchmark_needs() -> None:
    hardware = json.loads(json.dumps(runtime.hardware()))
    assert hardware["torch"] == torch.__version__
    assert hardware["cores"] >= 1
    assert hardware["cpu"]


def test_compute_dtype_of_the_cpu_is_float32() -> None:
    assert runtime.compute_dtype(torch.device("cpu")) == torch.float32


def test_compiler_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert not runtime.compiler_available()


def test_environment_is_read_in_runtime_alone() -> None:
    root = Path(runtime.__file__).parents[1]
    readers = {
        path.name
        for path in root.rglob("*.py")
        if "environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers == {"runtime.py"}
