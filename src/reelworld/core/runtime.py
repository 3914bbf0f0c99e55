"""The machine underneath: device, dtype, threads, generators, ranks, folders. Only here is os.environ read.

REELWORLD_CACHE (or XDG_CACHE_HOME) moves the cache, REELWORLD_CHARACTERS (or XDG_DATA_HOME) the characters;
RANK, WORLD_SIZE and LOCAL_RANK are what torchrun sets.
"""

from __future__ import annotations

import ctypes
import importlib.util
import multiprocessing
import multiprocessing.connection
import os
import platform
import shutil
import signal
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import torch

from reelworld.core.errors import ConfigError, DeviceError

STOPPING = tuple(  # what asks a process to stop; Windows has no SIGHUP
    number for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGHUP")
)


def device(name: str | torch.device = "auto") -> torch.device:
    """Return the device called `name`: auto, cpu, cuda, cuda:1, mps. "auto": the GPU, else the CPU.

    Raises: DeviceError where the device is unknown or not on this machine.
    """
    if str(name) == "auto":
        return torch.device("cuda", local_rank()) if torch.cuda.is_available() else torch.device("cpu")
    try:
        chosen = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"there is no device {name!r}; use auto, cpu, cuda, cuda:0 or mps") from error
    if not _is_here(chosen):
        raise DeviceError(f"device {str(name)!r} is not on this machine; use auto or cpu")
    return chosen


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the device computes it itself, without emulation, else float32."""
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32


def generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a torch generator on `device` that starts from `seed`.

    Raises: ConfigError where the seed is not a whole number of 0 or more, below 2**63.
    """
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed is {seed!r}; give a whole number from 0 to 2**63 - 1")
    return torch.Generator(device=device).manual_seed(seed)


def set_threads(num_threads: int | None = None) -> int:
    """Let torch compute with this many CPU threads (None: one per usable core); return the number."""
    num_threads = num_cores() if num_threads is None else num_threads
    if num_threads < 1:
        raise ConfigError(f"num_threads is {num_threads}; give at least 1")
    torch.set_num_threads(num_threads)
    keep_memory()
    return num_threads


def be_helper(threads: int = 1) -> None:
    """Be a process that works for another one: with few threads; that one decides when to stop, and is
    followed when it ends, even if it was killed.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_threads(threads)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


@contextmanager
def starting_helpers() -> Iterator[None]:
    """Start processes inside: what stops this one waits until then, and never reaches them.

    They begin with these signals held back, as this thread holds them, and then ignore them as helpers.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing starts it first, and lets signals through after that
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def keep_memory() -> bool:
    """Let the C allocator keep large freed buffers for the next ones; False where it is not glibc's.

    By default glibc hands each of them back to the kernel, and fetching fresh pages costs up to a quarter of
    an eager training step. Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    trim_threshold, mmap_threshold = -1, -3
    return bool(library.mallopt(mmap_threshold, 1 << 30) and library.mallopt(trim_threshold, (1 << 31) - 1))


def num_cores() -> int:
    """Count the CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rank() -> int:
    """Return this process's number among all of them (0 without torchrun)."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Return this process's number on this machine (0 without torchrun)."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """Return the number of processes that train together (1 without torchrun)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def cache_dir() -> Path:
    """Return the folder for what can be made again (not created here)."""
    if own := os.environ.get("REELWORLD_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "reelworld"


def characters_dir() -> Path:
    """Return the folder for stored characters (not created here)."""
    if own := os.environ.get("REELWORLD_CHARACTERS"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "reelworld" / "characters"


def compiler_available(device: str | torch.device = "cpu") -> bool:
    """Tell whether torch.compile can build code here: a C++ compiler, Python's headers, triton for a GPU."""
    candidates = (os.environ.get("CXX"), "g++", "clang++", "c++")
    has_compiler = any(shutil.which(name) for name in candidates if name)
    has_headers = (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file()
    has_triton = torch.device(device).type != "cuda" or importlib.util.find_spec("triton") is not None
    return has_compiler and has_headers and has_triton


def hardware() -> dict[str, Any]:
    """Describe the machine and versions, for the head of a benchmark: JSON-able."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "cpu": _cpu_model(),
        "cores": num_cores(),
        "threads": torch.get_num_threads(),
        "memory_gib": _memory_gib(),
        "gpus": gpus,
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _is_here(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type in ("cpu", "meta")


def _cpu_model() -> str:
    """Return the CPU's name from Linux's account of it, else what Python knows."""
    account = Path("/proc/cpuinfo")
    lines = account.read_text().splitlines() if account.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
