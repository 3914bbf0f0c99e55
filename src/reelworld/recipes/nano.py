"""nano: 64x64 clips of 16 frames from a 9 M parameter model, trained on two CPU cores in about two hours.

python -m reelworld.train nano --out runs/nano
"""

from reelworld.core.types import VideoShape
from reelworld.models.denoiser import DenoiserConfig
from reelworld.recipes import Bucket, DataConfig, OptimConfig, Recipe, Stage

IMAGE = VideoShape(width=64, height=64, num_frames=1, fps=8.0)
GLANCE = VideoShape(width=64, height=64, num_frames=4, fps=8.0)
CLIP = VideoShape(width=64, height=64, num_frames=16, fps=8.0)


def nano() -> Recipe:
    """Return the recipe: pictures and glances, then whole clips while the learning rate falls."""
    clips = (Bucket(shape=CLIP, weight=0.9), Bucket(shape=IMAGE, weight=0.1))
    glances = (Bucket(shape=GLANCE, weight=0.7), Bucket(shape=IMAGE, weight=0.3))
    return Recipe(
        name="nano",
        model=DenoiserConfig(dim=256, depth=8, num_heads=4),
        stages=(
            Stage(name="glances", steps=800, batch=64, buckets=glances, level=1),
            Stage(name="clips", steps=300, batch=32, buckets=clips, level=1),
            Stage(name="settle", steps=450, batch=32, buckets=clips, level=1),
        ),
        optim=OptimConfig(muon_lr=2e-3, adamw_lr=1e-3, warmup_steps=50, decay_share=0.3, ema_decay=0.998),
        data=DataConfig(reuse=4),
        seed=0,
    )
