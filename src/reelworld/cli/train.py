"""`reel train`: a recipe on the world or on footage, scored on the way where that is asked for."""

from __future__ import annotations

from pathlib import Path

import typer

from reelworld.cli.app import app


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def train(context: typer.Context) -> None:
    """Train a recipe on the world or on footage; `reel train --help` lists the options."""
    from reelworld.train.__main__ import main as train_main

    raise typer.Exit(train_main(context.args, prog="reel train", checker=_quick_checks))


def _quick_checks(weights: Path, prompts: int) -> dict[str, float]:
    """Score the weights of a training on a few prompts of every check."""
    from reelworld.evaluate.run import quick_shares
    from reelworld.generate.pipeline import Pipeline

    pipeline = Pipeline.load(weights)
    return quick_shares(pipeline, pipeline.weights_hash, prompts)
