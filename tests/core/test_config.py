import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from reelworld.core.config import from_json, override, to_json
from reelworld.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Patch:
    overlap: tuple[int, int, int] = (1, 2, 2)
    window: Literal["cosine", "flat", 3] = "cosine"


@dataclass(frozen=True, kw_only=True)
class Stage:
    steps: int
    rate: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Recipe:
    patch: Patch = field(default_factory=Patch)
    stages: tuple[Stage, ...] = (Stage(steps=10), Stage(steps=20, rate=1e-4))
    sizes: tuple[tuple[int, int], ...] = ((64, 64),)
    decay: float | None = None
    extra: Patch | None = None
    name: str = "nano"
    compiled: bool = False
    words: tuple[str, ...] = ()


def test_json_there_and_back() -> None:
    recipe = Recipe(decay=0.5, extra=Patch(window=3), words=("a", "b"), stages=())
    assert from_json(Recipe, json.loads(json.dumps(to_json(recipe)))) == recipe


def test_missing_settings_take_their_defaults() -> None:
    assert from_json(Recipe, {"name": "x"}) == Recipe(name="x")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("patch.overlap=0,1,1", Recipe(patch=Patch(overlap=(0, 1, 1)))),
        ("patch.overlap=[0,1,1]", Recipe(patch=Patch(overlap=(0, 1, 1)))),
        ("patch.overlap.0=7", Recipe(patch=Patch(overlap=(7, 2, 2)))),
        ("patch.window=3", Recipe(patch=Patch(window=3))),
        ("patch.window=flat", Recipe(patch=Patch(window="flat"))),
        ("stages.0.steps=7", Recipe(stages=(Stage(steps=7), Stage(steps=20, rate=1e-4)))),
        ("stages.1.rate=1", Recipe(stages=(Stage(steps=10), Stage(steps=20, rate=1.0)))),
        ('stages=[{"steps": 1}]', Recipe(stages=(Stage(steps=1),))),
        ("sizes.0=32,16", Recipe(sizes=((32, 16),))),
        ("sizes=[[1,2],[3,4]]", Recipe(sizes=((1, 2), (3, 4)))),
        ("decay=1e-2", Recipe(decay=0.01)),
        ('extra={"window": "flat"}', Recipe(extra=Patch(window="flat"))),
        ("name=a=b", Recipe(name="a=b")),
        ("name=7", Recipe(name="7")),
        ("name=", Recipe(name="")),
        ("compiled=Yes", Recipe(compiled=True)),
        ("words=red ball, cube", Recipe(words=("red ball", "cube"))),
        ("words=", Recipe()),
    ],
)
def test_override_reads_by_declared_type(setting: str, expected: Recipe) -> None:
    assert override(Recipe(), [setting]) == expected


def test_none_and_settings_inside_an_optional() -> None:
    assert override(Recipe(decay=0.5), ["decay=none"]) == Recipe()
    assert override(Recipe(extra=Patch()), ["extra.window=flat"]) == Recipe(extra=Patch(window="flat"))


def test_overrides_apply_together_before_the_config_checks_itself() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Heads:
        dim: int = 4
        heads: int = 2

        def __post_init__(self) -> None:
            if self.dim % self.heads:
                raise ConfigError("dim must be a multiple of heads")

    assert override(Heads(), ["heads=3", "dim=6"]) == Heads(dim=6, heads=3)
    with pytest.raises(ConfigError, match="multiple"):
        override(Heads(), ["heads=3"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pach.overlap=1,2,3", "unknown setting 'pach'; did you mean 'patch'?"),
        ("stages.0.step=7", "unknown setting 'stages.0.step'; did you mean 'stages.0.steps'?"),
        ("zzz=1", "known here: patch, stages"),
        ("stages.2.steps=1", "stages has no item '2'; it holds 2"),
        ("stages.x.steps=1", "stages has no item 'x'"),
        ("patch.overlap=1,2", "patch.overlap has 2 values; expected 3"),
        ("patch.window=round", "patch.window is 'round'; expected one of 'cosine', 'flat', 3"),
        ("decay=fast", "decay is 'fast'; expected float or none"),
        ("compiled=maybe", "compiled is 'maybe'; expected bool"),
        ("stages.0.steps=1.5", "stages.0.steps is 1.5; expected int"),
        ("stages.0.steps=true", "stages.0.steps is True; expected int"),
        ("extra.window=flat", "extra is none"),
        ("name.first=x", "name is a single value"),
        ("patch=3", "patch is 3; expected Patch"),
        ("stages=[{}]", "stages.0.steps is missing; expected int"),
        ("decay", "write it as name=value"),
    ],
)
def test_wrong_settings_say_what_to_mend(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Recipe(), [setting])
    assert message in str(caught.value)


def test_settings_follow_json_that_leaves_out_defaults() -> None:
    changed = override(Recipe(), ["patch={}", "patch.window=flat", "patch.overlap.0=7"])
    assert changed.patch == Patch(overlap=(7, 2, 2), window="flat")
    assert override(Recipe(), ['stages=[{"steps": 3}]', "stages.0.rate=0.5"]).stages[0].rate == 0.5
    for settings in (["patch=3", "patch.window=flat"], ["stages=3", "stages.0.steps=1"]):
        with pytest.raises(ConfigError, match=r"is 3; expected"):
            override(Recipe(), settings)


@pytest.mark.parametrize("data", [{"nam": "x"}, {"decay": "1"}, {"compiled": 1}, {"name": None}, [], 3])
def test_wrong_json_is_refused(data: Any) -> None:
    with pytest.raises(ConfigError):
        from_json(Recipe, data)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="complex"):
        to_json(Recipe(decay=1j))  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Either:
    part: Patch | Stage = field(default_factory=Patch)


def test_a_choice_between_dataclasses_is_told_by_their_fields() -> None:
    assert from_json(Either, {"part": {"steps": 3}}) == Either(part=Stage(steps=3))
    assert from_json(Either, to_json(Either(part=Patch(window=3)))) == Either(part=Patch(window=3))
    assert override(Either(part=Stage(steps=3)), ["part.rate=0.5"]) == Either(part=Stage(steps=3, rate=0.5))


def test_a_setting_that_no_choice_has_is_named() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'part.window'"):
        from_json(Either, {"part": {"windov": 3}})
