"""python -m reelworld.cli: the `reel` command."""

from reelworld.cli import run

run()
