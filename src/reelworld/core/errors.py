"""Every error that ReelWorld raises on purpose. Each message says what is wrong and how to mend it.

    ReelWorldError
    ├── ConfigError        a setting is unknown, has the wrong type or an impossible value
    ├── PromptError        a prompt or caption cannot be used
    ├── ShapeError         sizes do not fit: width, height, frames, channels
    ├── VideoError         a file cannot be read as video: broken, empty, too large, hostile
    ├── CheckpointError    weights are missing, foreign or corrupt
    ├── StorageError       a file cannot be written: full disk, missing folder, no permission
    ├── DataError          training data is missing or contradicts itself
    ├── TrainingError      training cannot go on
    │   └── NonFiniteError     a loss or gradient became NaN or infinite
    ├── DeviceError        the device asked for is not here
    └── Interrupted        the user stopped the work; what was finished is kept

Catch `ReelWorldError` to catch them all; anything else that escapes is a bug.
"""


class ReelWorldError(Exception):
    """Root of every deliberate error."""


class ConfigError(ReelWorldError):
    """A setting is unknown, has the wrong type or an impossible value."""


class PromptError(ReelWorldError):
    """A prompt or caption cannot be used."""


class ShapeError(ReelWorldError):
    """Sizes do not fit: width, height, frames, channels."""


class VideoError(ReelWorldError):
    """A file cannot be read as video: broken, empty, too large, hostile."""


class CheckpointError(ReelWorldError):
    """Weights are missing, foreign or corrupt."""


class StorageError(ReelWorldError):
    """A file cannot be written: full disk, missing folder, no permission."""


class DataError(ReelWorldError):
    """Training data is missing or contradicts itself."""


class TrainingError(ReelWorldError):
    """Training cannot go on."""


class NonFiniteError(TrainingError):
    """A loss or gradient became NaN or infinite."""


class DeviceError(ReelWorldError):
    """The device asked for is not here, or a process on it was killed."""


class Interrupted(ReelWorldError):
    """The user stopped the work; what was finished is kept."""
