"""small: every level, shapes up to 128x128 and 32 frames, 26 M parameters, for one data-centre GPU.

python -m reelworld.train small --out runs/small --minutes 55
"""

from reelworld.core.types import VideoShape
from reelworld.models.denoiser import DenoiserConfig
from reelworld.recipes import Bucket, DataConfig, LossConfig, NoiseConfig, OptimConfig, Recipe, Stage
from reelworld.recipes.nano import CLIP, GLANCE, IMAGE

FILM = VideoShape(width=64, height=64, num_frames=32, fps=8.0)
WIDE = VideoShape(width=96, height=64, num_frames=16, fps=8.0)
TALL = VideoShape(width=64, height=96, num_frames=16, fps=8.0)
FINE = VideoShape(width=128, height=128, num_frames=16, fps=8.0)


def small() -> Recipe:
    """Return the recipe: glances, then clips of levels 1 and 2, then films of every level, shape and length.

    Levels stay in the mix once they have come: what is learned of one thing is asked for of many.
    """
    glances = (
        Bucket(shape=GLANCE, weight=0.7, level=1), Bucket(shape=IMAGE, weight=0.3, level=1)
    )  # fmt: skip
    clips = (
        Bucket(shape=CLIP, weight=0.4, level=1), Bucket(shape=CLIP, weight=0.3, level=2),
        Bucket(shape=GLANCE, weight=0.2, level=2), Bucket(shape=IMAGE, weight=0.1, level=2),
    )  # fmt: skip
    films = (
        Bucket(shape=FILM, weight=0.25, level=3), Bucket(shape=FILM, weight=0.1, level=3, references=2),
        Bucket(shape=CLIP, weight=0.1, level=1, references=2), Bucket(shape=CLIP, weight=0.15, level=2),
        Bucket(shape=WIDE, weight=0.1, level=2), Bucket(shape=TALL, weight=0.1, level=2),
        Bucket(shape=FINE, weight=0.1, level=2), Bucket(shape=IMAGE, weight=0.1, level=3),
    )  # fmt: skip
    return Recipe(
        name="small",
        model=DenoiserConfig(dim=384, depth=12, num_heads=6),
        stages=(
            Stage(name="glances", steps=500, batch=512, buckets=glances, level=1),
            Stage(name="clips", steps=4000, batch=192, buckets=clips, level=2, text_length=96),
            Stage(name="films", steps=4400, batch=120, buckets=films, level=3, text_length=160),
        ),
        optim=OptimConfig(muon_lr=2e-3, adamw_lr=1e-3, warmup_steps=100, decay_share=0.4, ema_decay=0.999),
        noise=NoiseConfig(timestep_mean=0.6, timestep_std=1.1),
        loss=LossConfig(reading_weight=0.02),
        data=DataConfig(reuse=2),
        seed=1,
    )
