"""`reel serve`, `reel worker` and `reel key`: the API on one's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reelworld.cli.app import Json, app, need, say, told

Database = Annotated[
    str,
    typer.Option(
        help="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME; with a password better in the variable.",
        envvar="REELWORLD_DATABASE",
    ),
]
Place = Annotated[str, typer.Option(help="Folder, or any URL that fsspec reads, for the videos.")]
Served = Annotated[
    list[str] | None, typer.Option(help="NAME or NAME=FILE of a model; often; default: nano and small.")
]
KeepDays = Annotated[float, typer.Option(min=0.001, help="Days that finished videos stay.")]
Deadline = Annotated[float, typer.Option(min=1.0, help="Seconds that one video may take to make.")]
DATABASE, STORAGE = "sqlite:///out/serve/jobs.db", "out/serve/files"


@app.command()
@told
def serve(
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond loopback keys are needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes that make videos.")] = 1,
    database: Database = DATABASE,
    storage: Place = STORAGE,
    weights: Served = None,
    host_name: Annotated[list[str] | None, typer.Option(help="A name by which it is reached; often.")] = None,
    webhook: Annotated[list[str] | None, typer.Option(help="Address told of finished videos; often.")] = None,
    webhook_secret: Annotated[
        str,
        typer.Option(help="whsec_... that signs what they are told.", envvar="REELWORLD_WEBHOOK_SECRET"),
    ] = "",
    keep_days: KeepDays = 7.0,
    deadline: Deadline = 1800.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second of one key.")] = 50.0,
    most_megabytes: Annotated[int, typer.Option(min=1, max=1024, help="Of one request, in MiB.")] = 20,
) -> None:
    """Serve the videos API: make, remix, extend and download videos over HTTP."""
    need("fastapi", "serve")
    from reelworld.serve.serving import Settings, run

    run(
        Settings(
            database=database, storage=storage, host=host, port=port, workers=workers,
            weights=tuple(weights or ()), host_names=tuple(host_name or ()), webhooks=tuple(webhook or ()),
            webhook_secret=webhook_secret, kept_seconds=86_400 * keep_days, deadline_seconds=deadline,
            rate=rate, most_bytes=most_megabytes << 20,
        )
    )  # fmt: skip


@app.command()
@told
def worker(
    database: Database = DATABASE,
    storage: Place = STORAGE,
    weights: Served = None,
    lease: Annotated[float, typer.Option(min=1.0, help="Seconds until a silent worker is dead.")] = 30.0,
    keep_days: KeepDays = 7.0,
    deadline: Deadline = 1800.0,
) -> None:
    """Make the videos of a server's queue, on this or another machine."""
    need("fastapi", "serve")
    from reelworld.serve.worker import main

    named = [part for text in weights or () for part in ("--weights", text)]
    kept = str(86_400 * keep_days)
    main(
        ["--database", database, "--storage", storage, "--lease", str(lease), "--kept", kept,
         "--deadline", str(deadline), *named]
    )  # fmt: skip


@app.command()
@told
def key(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    revoke: Annotated[bool, typer.Option("--revoke", help="Forget the key instead.")] = False,
    priority: Annotated[
        int, typer.Option(min=-100, max=100, help="Of this key's videos; higher ones are made first.")
    ] = 0,
    database: Database = DATABASE,
    as_json: Json = False,
) -> None:
    """Make an API key, shown once: the database keeps its hash alone."""
    need("fastapi", "serve")
    from reelworld.core.storage import make_folder
    from reelworld.serve.gate import Keys
    from reelworld.serve.tables import open_database, upgrade

    if database.startswith("sqlite:///"):
        make_folder(Path(database.removeprefix("sqlite:///")).parent)
    engine = open_database(database)
    upgrade(engine)
    if revoke:
        Keys(engine).revoke(name)
        say(as_json, f"{name} has no key any more", revoked=name)
        return
    made = Keys(engine).create(name, priority)
    say(as_json, made, owner=name, key=made)
