"""nano: 64x64 clips of 16 frames from a 10 M parameter model, trained on two CPU cores in about five hours.

python -m reelworld.train nano --out runs/nano
"""

from reelworld.core.types import VideoShape
from reelworld.diffusion.masks import MaskConfig
from reelworld.models.denoiser import DenoiserConfig
from reelworld.recipes import Bucket, DataConfig, LossConfig, NoiseConfig, OptimConfig, Recipe, Stage

IMAGE = VideoShape(width=64, height=64, num_frames=1, fps=8.0)
GLANCE = VideoShape(width=64, height=64, num_frames=4, fps=8.0)
CLIP = VideoShape(width=64, height=64, num_frames=16, fps=8.0)


def nano() -> Recipe:
    """Return the recipe: glances and pictures, then whole clips among them; at last the rate falls to zero.

    A quarter of the later clips have characters with portraits. Timesteps are drawn widely; why, says
    docs/design/0005.
    """
    glances = (Bucket(shape=GLANCE, weight=0.7), Bucket(shape=IMAGE, weight=0.3))
    clips = (
        Bucket(shape=CLIP, weight=0.45), Bucket(shape=GLANCE, weight=0.2), Bucket(shape=IMAGE, weight=0.1),
        Bucket(shape=CLIP, weight=0.15, references=2), Bucket(shape=GLANCE, weight=0.1, references=2),
    )  # fmt: skip
    masks = MaskConfig(none=0.8, first=0.08, first_last=0.03, prefix=0.04, suffix=0.02, spans=0.03)
    return Recipe(
        name="nano",
        model=DenoiserConfig(dim=256, depth=8, num_heads=4),
        stages=(
            Stage(name="glances", steps=330, batch=64, buckets=glances, level=1),
            Stage(name="clips", steps=3670, batch=24, buckets=clips, level=1),
        ),
        optim=OptimConfig(muon_lr=2e-3, adamw_lr=1e-3, warmup_steps=50, decay_share=0.3, ema_decay=0.998),
        noise=NoiseConfig(timestep_mean=0.6, timestep_std=1.1, masks=masks),
        loss=LossConfig(reading_weight=0.02),
        data=DataConfig(reuse=4),
        seed=0,
    )
