"""What routes share: the running fleet, and the token check."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Path, Request

from fleet_server import tokens
from fleet_server.fleet import Fleet


def _fleet(request: Request) -> Fleet:
    return cast(Fleet, request.app.state.fleet)


def _caller(request: Request) -> str:
    return tokens.check(_fleet(request).store, request.headers.get("authorization"))


#: A number in a path, within what SQLite can hold.
Number = Annotated[int, Path(ge=1, le=2**31)]
RunningFleet = Annotated[Fleet, Depends(_fleet)]
#: Name of the token that the caller has; routes that take it refuse callers without one.
Caller = Depends(_caller)
#: The same, for routes that record who asked.
CallerName = Annotated[str, Caller]
