"""ReelWorld: text to video, open from end to end.

    import reelworld

    reelworld.generate("a red ball rolls past a blue box").save("ball.mp4")

    pipeline = reelworld.load("runs/nano/weights.safetensors")
    videos = pipeline("a green cone spins", num_videos=4, seed=7)

Every name is imported when it is first used, so `import reelworld` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reelworld.core.version import __version__

if TYPE_CHECKING:
    from reelworld.core.types import Video
    from reelworld.generate.pipeline import Pipeline
    from reelworld.generate.simple import generate, load

__all__ = ["Pipeline", "Video", "__version__", "generate", "load"]

_HOMES = {
    "Pipeline": "reelworld.generate.pipeline",
    "Video": "reelworld.core.types",
    "load": "reelworld.generate.simple",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name == "generate":
        return import_module("reelworld.generate")  # callable; see there
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(_HOMES[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
