"""What may be asked of the API: one model per request, from JSON, multipart or bracketed multipart alike.

    asked = read(Create, {"prompt": "a red ball", "seconds": "4", "size": "1280x720"})

Numbers may come as text, lists and objects as JSON text. What is unknown is ignored, as the hosted API does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reelworld.core.types import VideoShape
from reelworld.serve.bodies import read_json
from reelworld.serve.errors import ApiError

MOST_PROMPT = 8_000
MOST_SECONDS, LONGEST = 60.0, 120.0  # that are asked for or sent at once, and of a whole video
MOST_SIDE, MOST_PIXELS = 2048, 250_000_000  # of the whole video, so that it fits into a worker's memory
Body = TypeVar("Body", bound=BaseModel)


def parsed(value: Any) -> Any:
    """Read JSON text, as forms send lists and objects."""
    if isinstance(value, str) and value[:1] in "[{":
        with suppress(ValueError):
            return read_json(value)
    return value


def id_of(value: Any) -> Any:
    """Read {"id": ...} or the id alone."""
    value = parsed(value)
    return value.get("id") if isinstance(value, dict) else value


Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(max_length=MOST_PROMPT, pattern=r"^[^\x00]*$")]  # PostgreSQL keeps no NUL in JSON
Prompt = Annotated[Text, Field(min_length=1, description="What the video shows.")]
OwnPrompt = Annotated[Text, Field(description="What the video shows; left out: as it was told of the first.")]
Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS, description="How long, in seconds.")]
Size = Annotated[str, Field(pattern=r"^[1-9]\d{0,3}x[1-9]\d{0,3}$", description="Width x height, in pixels.")]
VideoId = Annotated[str, BeforeValidator(id_of), Field(pattern=r"^video_[0-9a-f]{32}$")]
CharacterIds = Annotated[
    list[Annotated[str, BeforeValidator(id_of), Field(pattern=r"^char_[0-9a-f]{32}$")]],
    BeforeValidator(parsed),
    Field(max_length=3, description="Ids of stored characters; the prompt calls each by name."),
]
Side = Annotated[int, Field(ge=16, le=MOST_SIDE, description="In pixels; width and height together.")]
Seed = Annotated[int, Field(ge=0, le=2**53, description="The same seed makes the same noise.")]


class Asked(BaseModel):
    """What every request for a video may say."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    prompt: Prompt
    model: (
        Annotated[
            str, Field(max_length=64, description="Left out: the cheapest that knows the prompt's words.")
        ]
        | None
    ) = None
    size: Size | None = None
    width: Side | None = None
    height: Side | None = None
    fps: Annotated[float, Field(ge=1, le=60, description="Frames a second.")] | None = None
    num_inference_steps: (
        Annotated[int, Field(ge=1, le=200, description="Steps from noise to the video.")] | None
    ) = None
    guidance_scale: (
        Annotated[float, Field(ge=0, le=50, description="How strictly the prompt is followed; 1: unguided.")]
        | None
    ) = None
    seed: Seed | None = None
    negative_prompt: Annotated[Text, Field(description="What it should not show.")] | None = None
    characters: CharacterIds | None = None
    upsample: Annotated[bool, Field(description="Enlarge by the upsampler, not by scaling alone.")] = True


class Create(Asked):
    """POST /v1/videos."""

    seconds: Seconds = 4.0
    num_frames: Annotated[int, Field(ge=1, le=480, description="Instead of seconds.")] | None = None
    expand: Annotated[bool, Field(description="Tell a short prompt in full before it is made.")] = True


Strength = Annotated[
    Annotated[float, Field(gt=0, le=1)] | Literal["subtle", "mild", "strong"],
    Field(description="How much is made anew."),
]


class Remix(Asked):
    """POST /v1/videos/{id}/remix and /v1/videos/edits: the same video, made anew after a text."""

    strength: Strength | None = None


class Extend(Asked):
    """POST /v1/videos/extensions."""

    seconds: Seconds
    before: Annotated[bool, Field(description="Let it begin earlier, instead of going on.")] = False


Length = Annotated[
    Annotated[float, Field(gt=0, le=10)] | Literal["short", "normal", "long"],
    Field(description="What is added: half a second, one, two, or so many."),
]


class Loop(Asked):
    """POST /v1/videos/loops."""

    prompt: OwnPrompt = ""
    length: Length | None = None


class Fill(Asked):
    """POST /v1/videos/fills."""

    prompt: OwnPrompt = ""
    start: Annotated[float, Field(ge=0, le=600, description="In seconds; what lies between is made anew.")]
    end: Annotated[float, Field(ge=0, le=600, description="In seconds.")]


Part = tuple[Annotated[float, Field(ge=0, le=600)], Annotated[float, Field(gt=0, le=600)]]


class Recut(Asked):
    """POST /v1/videos/recuts: parts that are kept, from second to second, and what is made about them."""

    prompt: OwnPrompt = ""
    keep: Annotated[
        list[Part],
        BeforeValidator(parsed),
        Field(min_length=1, max_length=16, description="Parts, each from second to second."),
    ]
    gap: Annotated[float, Field(ge=0, le=10, description="Seconds made between two parts; 0: a cut.")] = 0.5
    seconds: Annotated[float, Field(ge=0, le=MOST_SECONDS, description="Made after the last part.")] = 0.0


class Blend(Asked):
    """POST /v1/videos/blends."""

    prompt: OwnPrompt = ""
    first: Annotated[VideoId, Field(description="The id of a video of yours.")]
    second: Annotated[VideoId, Field(description="Another one.")]
    curve: (
        Annotated[
            list[tuple[Share, Share]],
            BeforeValidator(parsed),
            Field(max_length=64, description="Points: share of the time, share of the second video."),
        ]
        | None
    ) = None
    strength: Strength | None = None


class Variations(Create):
    """POST /v1/videos/variations."""

    count: Annotated[int, Field(ge=1, le=16, description="How many videos, with seeds that follow.")] = 4


Shown = Annotated[
    str,
    BeforeValidator(id_of),
    Field(pattern=r"^(video_[0-9a-f]{32}$|data:)", description="The id of a video of yours, or a data URL."),
]


class BoardCard(BaseModel):
    """A card: a text, and an image or a video that is shown from its time on."""

    time: Annotated[float, Field(ge=0, le=MOST_SECONDS, description="Seconds until it is shown.")]
    text: Annotated[Text, Field(description="May be empty where it shows something.")] = ""
    image: Shown | None = None
    video: Shown | None = None
    at: Annotated[
        float, Field(ge=0, le=MOST_SECONDS, description="Seconds of the video from which it is shown.")
    ] = 0.0
    cut: Annotated[bool, Field(description="Left out: the spacing decides.")] | None = None
    seed: Seed | None = None


class Board(Asked):
    """POST /v1/videos/storyboards."""

    prompt: Annotated[Text, Field(description="What the object tells; left out: the cards' texts.")] = ""
    cards: Annotated[
        list[BoardCard],
        BeforeValidator(parsed),
        Field(min_length=1, max_length=40, description="In the order of their times."),
    ]
    duration: Seconds | None = None


class Character(BaseModel):
    """POST /v1/videos/characters."""

    name: Annotated[str, Field(pattern=r"^[^\W\d_][\w-]{0,39}$", description="One word.")]


def read(model: type[Body], fields: dict[str, Any]) -> Body:
    """Read a request. Raises: ApiError that names the first field that is wrong, and why."""
    try:
        return model.model_validate(
            {name: value for name, value in fields.items() if value not in ("", None)}
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if isinstance(part, (str, int)))
        kind = "missing_required_parameter" if first["type"] == "missing" else "invalid_value"
        raise ApiError(400, f"{place}: {first['msg']}", param=place, code=kind) from error


def size_of(asked: Asked) -> tuple[int, int] | None:
    """Return the width and height that are asked for, as even numbers: films have no others.

    Raises: ApiError.
    """
    if asked.size is not None:
        width, height = (int(side) for side in asked.size.split("x"))
    elif asked.width is not None and asked.height is not None:
        width, height = asked.width, asked.height
    elif asked.width is not None or asked.height is not None:
        raise ApiError(400, "give width and height together", param="width", code="invalid_value")
    else:
        return None
    if min(width, height) < 16 or max(width, height) > MOST_SIDE:
        raise ApiError(
            400, f"sides must be from 16 to {MOST_SIDE} pixels", param="size", code="invalid_value"
        )
    return width + width % 2, height + height % 2


def check_amount(native: VideoShape, size: tuple[int, int] | None, seconds: float, fps: float | None) -> None:
    """Raise ApiError for a video that would be too long, or have more pixels than a worker can hold.

    It holds the video as the weights make it, and as it is asked for.
    """
    if seconds > LONGEST:
        told = f"the video would have {seconds:g} seconds, and {LONGEST:g} are the most; keep or add fewer"
        raise ApiError(400, told, param="seconds", code="too_large")
    width, height = size or (4 * native.width, 4 * native.height)
    asked = width * height * (fps or native.fps)
    if seconds * max(asked, native.width * native.height * native.fps) > MOST_PIXELS:
        told = "the video is too large; ask for fewer seconds or a smaller size"
        raise ApiError(400, told, param="size", code="too_large")
