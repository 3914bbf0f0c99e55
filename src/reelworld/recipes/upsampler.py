"""upsampler: 64x64 -> 256x256, from renders of levels 1 and 2.

python -m reelworld.train upsampler --out runs/upsampler
"""

from reelworld.core.types import VideoShape
from reelworld.models.upsampler import UpsamplerConfig
from reelworld.recipes import Bucket, DataConfig, DegradeConfig, OptimConfig, Recipe, Stage

LARGE = VideoShape(width=256, height=256, num_frames=4, fps=8.0)


def upsampler() -> Recipe:
    """Return the recipe: crops of glances of four frames; no change of light, which must stay as it is."""
    buckets = (Bucket(shape=LARGE, weight=0.7, level=1), Bucket(shape=LARGE, weight=0.3, level=2))
    return Recipe(
        name="upsampler",
        model=UpsamplerConfig(),
        stages=(Stage(name="glances", steps=1100, batch=8, buckets=buckets),),
        optim=OptimConfig(muon_lr=2e-3, adamw_lr=1e-3, warmup_steps=30, decay_share=0.5, ema_decay=0.99),
        degrade=DegradeConfig(light=0.0, blur=1.0, noise=0.05, blocks=0.15, clean=0.3),
        data=DataConfig(reuse=4, heldout_clips=8),
        seed=91,
    )
