"""perception: the parser of the world checks, for 64x64, from renders of all three levels.

python -m reelworld.train perception --out runs/perception
"""

from reelworld.core.types import VideoShape
from reelworld.models.perception import PerceptionConfig
from reelworld.recipes import Bucket, DataConfig, OptimConfig, Recipe, Stage

SEED = 90  # of the world's streams too: no seed of a benchmark or of a generator's training
RARE = ("walk", "walk", "walk", "bite", "switch_on", "knock_over")  # each in a twentieth of the scenes else
GLANCE = VideoShape(width=64, height=64, num_frames=4, fps=8.0)
CLIP = VideoShape(width=64, height=64, num_frames=16, fps=8.0)


def perception() -> Recipe:
    """Return the recipe: clips of all levels and splits, half of them from near and of any moment.

    A glance lies inside a shot; only whole clips show cuts.
    """
    buckets = (
        Bucket(shape=GLANCE, weight=0.2, level=1),
        Bucket(shape=GLANCE, weight=0.12, level=2),
        Bucket(shape=GLANCE, weight=0.3, level=2, themes=RARE),
        Bucket(shape=GLANCE, weight=0.13, level=3),
        Bucket(shape=GLANCE, weight=0.15, level=2, themes=("in order",)),  # in colour, where it is asked
        Bucket(shape=CLIP, weight=0.1, level=3),
    )
    return Recipe(
        name="perception",
        model=PerceptionConfig(),
        stages=(Stage(name="glances", steps=4000, batch=16, buckets=buckets),),
        optim=OptimConfig(muon_lr=4e-3, adamw_lr=2e-3, warmup_steps=30, decay_share=0.5, ema_decay=0.995),
        data=DataConfig(reuse=2, heldout_clips=48, close_ups=0.5, split="all"),
        seed=SEED,
    )
