"""small: every level, shapes up to 128x128 and 32 frames, 26 M parameters: 25 minutes of one data-centre GPU.

python -m reelworld.train small --out runs/small
python -m reelworld.train small --out runs/more --init runs/small/weights.safetensors    # as the packaged one
"""

from reelworld.core.types import VideoShape
from reelworld.models.denoiser import DenoiserConfig
from reelworld.recipes import (
    Bucket,
    DataConfig,
    LossConfig,
    NoiseConfig,
    OptimConfig,
    Recipe,
    ReportConfig,
    Stage,
)
from reelworld.recipes.nano import CLIP, IMAGE
from reelworld.world.interactions import INTERACTIONS

FILM = VideoShape(width=64, height=64, num_frames=32, fps=8.0)
WIDE = VideoShape(width=96, height=64, num_frames=16, fps=8.0)
TALL = VideoShape(width=64, height=96, num_frames=16, fps=8.0)
FINE = VideoShape(width=128, height=128, num_frames=16, fps=8.0)


HAPPENS = (*INTERACTIONS, *("walk",) * 4, "two things")
ABOUT = ("one thing",) * 4 + ("two things",) * 6 + ("in depth",) * 5


def small() -> Recipe:
    """Return the recipe: all levels, shapes and lengths from the first step to the last.

    What happens is filmed from near, so that legs and bites are more than a few pixels (docs/design/0018);
    who could bite and does not is there too, or the sight of a cookie were enough (docs/design/0020);
    the shares are such that what makes the clips keeps up with what learns from them (docs/design/0016).
    """
    buckets = (
        Bucket(shape=FILM, weight=0.09, level=3, near=0.5),
        Bucket(shape=CLIP, weight=0.14, level=3, near=0.5),
        Bucket(shape=CLIP, weight=0.1, level=3, themes=("in order",), near=0.85),
        Bucket(shape=CLIP, weight=0.12, level=2, near=0.4),
        Bucket(shape=CLIP, weight=0.18, level=2, themes=HAPPENS, near=0.85),
        Bucket(shape=CLIP, weight=0.06, level=2, themes=("left alone",), near=0.85),
        Bucket(shape=CLIP, weight=0.13, level=1, themes=ABOUT),
        Bucket(shape=CLIP, weight=0.04, level=1, themes=ABOUT, references=2),
        Bucket(shape=CLIP, weight=0.05, level=2, references=2, near=0.4),
        *(Bucket(shape=shape, weight=weight, level=2, near=0.4)
          for shape, weight in ((WIDE, 0.025), (TALL, 0.025), (FINE, 0.02), (IMAGE, 0.02))),
    )  # fmt: skip
    return Recipe(
        name="small",
        model=DenoiserConfig(dim=384, depth=12, num_heads=6),
        stages=(Stage(name="all", steps=13848, batch=144, buckets=buckets, level=3, text_length=160),),
        optim=OptimConfig(muon_lr=2e-3, adamw_lr=1e-3, warmup_steps=100, decay_share=0.5, ema_decay=0.999),
        noise=NoiseConfig(timestep_mean=0.6, timestep_std=1.1),
        loss=LossConfig(reading_weight=0.02),
        data=DataConfig(reuse=24, reuse_memory=4000),
        report=ReportConfig(checkpoint_minutes=4.0, heldout_minutes=4.0, sample_minutes=4.0),
        seed=1,
    )
