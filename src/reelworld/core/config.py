"""Frozen dataclass <-> JSON, and dotted overrides. An unknown setting is an error that names the near miss.

    cfg = from_json(Recipe, to_json(cfg))
    cfg = override(cfg, ["model.dim=384", "stages.0.steps=10", "model.patch.overlap=1,2,2"])

A setting is int, float, bool, str, None, Literal, tuple, a dataclass of settings, or one of these `| None`.
"""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from reelworld.core.errors import ConfigError

Config = TypeVar("Config")
_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def to_json(cfg: Any) -> Any:
    """Turn a config (or any of its settings) into plain dicts, lists and scalars.

    Raises: ConfigError for a value that JSON cannot hold.
    """
    if is_dataclass(cfg) and not isinstance(cfg, type):
        return {field.name: to_json(getattr(cfg, field.name)) for field in fields(cfg) if field.init}
    if isinstance(cfg, (tuple, list)):
        return [to_json(item) for item in cfg]
    if cfg is None or type(cfg) in (bool, int, float, str):
        return cfg
    raise ConfigError(
        f"a setting holds {cfg!r} ({type(cfg).__name__}); use numbers, text, tuples or dataclasses"
    )


def from_json(cls: type[Config], data: Any) -> Config:
    """Build the config `cls` from what `to_json` gave; missing settings take their defaults.

    Raises: ConfigError for an unknown setting (the nearest one is named), a wrong type or a missing setting.
    """
    return _build(cls, data, "")


def override(cfg: Config, settings: Sequence[str]) -> Config:
    """Return `cfg` with "dotted.name=value" settings applied together, each read by its declared type.

    Raises: ConfigError for an unknown setting (the nearest one is named) or a value of the wrong type.
    """
    data = to_json(cfg)
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                f"cannot read setting {setting!r}; write it as name=value, such as model.dim=384"
            )
        data = _put(data, type(cfg), name.strip().split("."), text.strip(), "")
    return from_json(type(cfg), data)


def _put(data: Any, hint: Any, path: list[str], text: str, where: str) -> Any:
    """Return JSON `data` of type `hint` with the setting at `path` replaced by the parsed text."""
    if not path:
        return _parse(hint, text, where)
    inner = _without_none(hint)
    if isinstance(data, dict) and len(fitting := _fitting(hint, data)) == 1:
        inner = fitting[0]
    if data is None and inner is not hint:
        raise ConfigError(
            f"{where} is none, so it has no {path[0]!r}; set it whole: {where}='{{...}}' as JSON"
        )
    if is_dataclass(inner) and isinstance(data, dict):
        kind = _hints(inner)
        key = _known(path[0], list(kind), where)
        return {**data, key: _put(_held(data, inner, key), kind[key], path[1:], text, _join(where, key))}
    if get_origin(inner) is tuple and isinstance(data, list):
        index = _index(path[0], len(data), where)
        item = _put(data[index], _item_hint(inner, index), path[1:], text, _join(where, str(index)))
        return [*data[:index], item, *data[index + 1 :]]
    if is_dataclass(inner) or get_origin(inner) is tuple:
        raise ConfigError(f"{where} is {data!r}; expected {_describe(hint)}")
    raise ConfigError(f"{where} is a single value and has no {path[0]!r}; write {where}=value")


def _held(data: dict[str, Any], cls: Any, key: str) -> Any:
    """Return what JSON `data` of a config `cls` holds at a key, or the default where it leaves that out."""
    (field,) = (field for field in fields(cls) if field.name == key)
    if key in data or (field.default is MISSING and field.default_factory is MISSING):
        return data.get(key, {})
    return to_json(field.default if field.default_factory is MISSING else field.default_factory())


def _parse(hint: Any, text: str, where: str) -> Any:
    """Read command-line text as JSON data that suits `hint`."""
    choices = _choices(hint)
    if type(None) in choices and text.lower() in ("none", "null"):
        return None
    if bool in choices and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if literal := [value for value in _literals(choices) if str(value) == text]:
        return literal[0]
    if str in choices:
        return text
    as_tuple = any(get_origin(choice) is tuple for choice in choices) and text[:1] not in ("[", "{")
    try:
        return json.loads(f"[{text}]" if as_tuple else text)
    except json.JSONDecodeError:
        items = [item.strip() for item in text.split(",")]
        return items if as_tuple else text  # the type check says what was expected


def _build(hint: Any, data: Any, where: str) -> Any:
    """Turn JSON `data` into a value of type `hint`, or say what was expected."""
    for choice in _fitting(hint, data):
        if is_dataclass(choice) and isinstance(data, dict):
            return _build_dataclass(choice, data, where)
        if get_origin(choice) is tuple and isinstance(data, (list, tuple)):
            return _build_tuple(choice, data, where)
        if _is_plain(choice, data):
            return float(data) if choice is float else data
    raise ConfigError(f"{where or 'the config'} is {data!r}; expected {_describe(hint)}")


def _build_dataclass(cls: Any, data: dict[str, Any], where: str) -> Any:
    settings: dict[str, Field[Any]] = {field.name: field for field in fields(cls) if field.init}
    hints = _hints(cls)
    for name in data:
        _known(name, list(settings), where)
    for name, field in settings.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{_join(where, name)} is missing; expected {_describe(hints[name])}")
    return cls(**{name: _build(hints[name], value, _join(where, name)) for name, value in data.items()})


def _build_tuple(hint: Any, data: Sequence[Any], where: str) -> tuple[Any, ...]:
    args = get_args(hint)
    if Ellipsis not in args and len(args) != len(data):
        raise ConfigError(f"{where} has {len(data)} values; expected {len(args)}")
    return tuple(_build(_item_hint(hint, i), item, _join(where, str(i))) for i, item in enumerate(data))


def _is_plain(hint: Any, data: Any) -> bool:
    """True where the scalar `data` may stand for `hint`; an int may stand for a float, a bool for neither."""
    if get_origin(hint) is Literal:
        return any(data == value and type(data) is type(value) for value in get_args(hint))
    return hint is Any or type(data) is hint or (hint is float and type(data) is int)


def _known(name: str, names: list[str], where: str) -> str:
    """Return `name` if it is one of `names`; else raise with the nearest."""
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {_join(where, near[0])!r}?" if near else f"known here: {', '.join(names)}"
    raise ConfigError(f"unknown setting {_join(where, name)!r}; {hint}")


def _index(text: str, length: int, where: str) -> int:
    if not text.isdecimal() or int(text) >= length:
        raise ConfigError(f"{where} has no item {text!r}; it holds {length}, counted from 0")
    return int(text)


def _item_hint(hint: Any, index: int) -> Any:
    args = get_args(hint)
    return args[0] if Ellipsis in args else args[index]


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _fitting(hint: Any, data: Any) -> tuple[Any, ...]:
    """Return the choices of `hint`; of several dataclasses only the first that has all fields of `data`."""
    choices = _choices(hint)
    classes = [choice for choice in choices if is_dataclass(choice)]
    if len(classes) < 2 or not isinstance(data, dict):
        return choices
    return (next((c for c in classes if set(data) <= set(_hints(c))), classes[0]),)


def _literals(choices: tuple[Any, ...]) -> list[Any]:
    return [value for choice in choices if get_origin(choice) is Literal for value in get_args(choice)]


def _without_none(hint: Any) -> Any:
    """Return X for `X | None`, and anything else as it is."""
    rest = [choice for choice in _choices(hint) if choice is not type(None)]
    return rest[0] if len(rest) == 1 else hint


def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in fields(cls) if field.init}


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _describe(hint: Any) -> str:
    if len(_choices(hint)) > 1:
        return " or ".join(_describe(choice) for choice in _choices(hint))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(value) for value in get_args(hint))
    if hint is type(None):
        return "none"
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
