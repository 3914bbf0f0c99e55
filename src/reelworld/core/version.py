"""The version of ReelWorld, which every result names; also in pyproject.toml."""

__version__ = "0.1.0"
