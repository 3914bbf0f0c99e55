"""nano_gpu: the model of nano, trained for eleven minutes on one data-centre GPU; the released weights.

python -m reelworld.train nano_gpu --out runs/nano
"""

from dataclasses import replace

from reelworld.recipes import Bucket, DataConfig, Recipe, ReportConfig, Stage
from reelworld.recipes.nano import CLIP, GLANCE, IMAGE, nano

ABOUT = ("one thing",) * 5 + ("two things",) * 7 + ("in depth",) * 2


def nano_gpu() -> Recipe:
    """Return the recipe: more clips with two things than the world has by itself, and no curriculum.

    Making clips takes longer than learning from them: each is seen sixteen times (docs/design/0016).
    """
    recipe = nano()
    buckets = (
        Bucket(shape=CLIP, weight=0.6, themes=ABOUT),
        Bucket(shape=CLIP, weight=0.2, themes=ABOUT, references=2),
        Bucket(shape=GLANCE, weight=0.13, themes=ABOUT), Bucket(shape=IMAGE, weight=0.07, themes=ABOUT),
    )  # fmt: skip
    return replace(
        recipe,
        name="nano_gpu",
        stages=(Stage(name="clips", steps=5600, batch=192, buckets=buckets, level=1),),
        optim=replace(recipe.optim, warmup_steps=100, decay_share=0.5, ema_decay=0.999),
        data=DataConfig(reuse=16, reuse_memory=4000),
        report=ReportConfig(checkpoint_minutes=4.0, heldout_minutes=2.0, sample_minutes=4.0),
    )
