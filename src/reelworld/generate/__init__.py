"""The generator's room: prompt -> video. The package itself is the function that the README shows.

    reelworld.generate("a red ball rolls past a blue box").save("ball.mp4")

Python binds the name `reelworld.generate` to this package as soon as anything inside it is imported, so the
package is made callable, and both uses of the name hold at any time. No torch is imported before the first
call.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reelworld.core.types import Video


class _CallablePackage(ModuleType):
    def __call__(self, prompt: str, **options: Any) -> "Video":
        """Make one video; see `reelworld.generate.simple.generate`."""
        from reelworld.generate.simple import generate

        return generate(prompt, **options)


sys.modules[__name__].__class__ = _CallablePackage
