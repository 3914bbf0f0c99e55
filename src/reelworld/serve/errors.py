"""The API's own errors, in the format that its clients read: {"error": {message, type, param, code}}."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import exc
from starlette.responses import JSONResponse

from reelworld.core.errors import ReelWorldError

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


AWAY = (exc.OperationalError, exc.TimeoutError)  # of a database that is away, or too busy


class ApiError(ReelWorldError):
    """An answer that is not a success, with all that the client is told."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """Return the answer."""
        kind = TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return JSONResponse({"error": error}, self.status, self.headers)


def no_storage() -> ApiError:
    """Return the error of a disk or database that cannot be used now."""
    return ApiError(503, "the server cannot store or read files now", code="storage_error")


def too_much(what: str, seconds: float = 5.0) -> ApiError:
    """Return the error of somebody who has to wait, so many seconds."""
    wait = {"retry-after": str(max(1, round(seconds)))}
    return ApiError(429, f"{what}; wait a little", code="rate_limit", headers=wait)


def not_found(what: str) -> ApiError:
    """Return the error of something that is not there, or is somebody else's."""
    return ApiError(404, f"there is no such {what}", code="not_found")


def not_made(why: str | None) -> ApiError:
    """Return the error of a video that failed, or was cancelled."""
    return ApiError(400, f"the video was not made ({why}); ask for it again", code="video_failed")


def not_ready(status: str) -> ApiError:
    """Return the error of a video that is not finished: no 409, which clients would repeat."""
    return ApiError(400, f"the video is {status}, not completed; wait for it", code="video_not_ready")
