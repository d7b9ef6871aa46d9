"""Cookies of ours: no script reads them, no other site's form sends them along."""

from datetime import timedelta

from starlette.responses import Response


def give_cookie(answer: Response, name: str, value: str, life: timedelta, *, is_secure: bool) -> None:
    answer.set_cookie(
        name, value, max_age=int(life.total_seconds()), path="/", secure=is_secure, httponly=True, samesite="lax"
    )


def take_cookie(answer: Response, name: str, *, is_secure: bool) -> None:
    answer.delete_cookie(name, path="/", secure=is_secure, httponly=True, samesite="lax")
