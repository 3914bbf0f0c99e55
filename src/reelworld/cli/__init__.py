"""The `reel` command: thin commands that import what they need when they run.

reel generate "a large red ball bounces in a meadow" -o ball.mp4
reel train nano --out runs/nano
reel world sample --count 16 --level 2 --seed 7 --out clips
"""

# in the order of `reel --help`
# isort: off
from reelworld.cli import generate, edit, storyboard, train, evaluate, world, serve

# isort: on
from reelworld.cli.app import app, run

__all__ = ["app", "edit", "evaluate", "generate", "run", "serve", "storyboard", "train", "world"]
