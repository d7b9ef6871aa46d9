"""Why a mail server cannot be used: one word for what somebody has to mend. Pure."""

import socket
import ssl
from collections.abc import Iterator
from typing import Literal

import aiosmtplib

Fault = Literal[
    "",
    "unknown_host",  # no address for its name
    "closed",  # nobody listens at that port
    "unreachable",  # no way there
    "silent",  # no answer in time
    "hangs_up",
    "certificate",  # not trusted, expired, of another name
    "not_tls",  # TLS was expected and something else came
    "no_starttls",
    "no_login",  # it offers none
    "login",  # it refuses name or password
    "needs_login",
    "sender",  # it takes no mail from our address
    "refuses",  # in its own words
]


class NotOffered(Exception):
    """The server lacks what the address of it demands."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def fault_of(error: BaseException) -> Fault:
    if isinstance(error, NotOffered):
        return error.fault
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "login"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        # 530: sign in first (RFC 4954, section 6).
        return "needs_login" if error.code == 530 else _of_answer(error)
    causes = list(_causes(error))
    for kind, fault in _BY_KIND:
        if any(isinstance(cause, kind) for cause in causes):
            return fault
    return "unreachable"


_BY_KIND: tuple[tuple[type[BaseException], Fault], ...] = (
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "not_tls"),
    (socket.gaierror, "unknown_host"),
    (ConnectionRefusedError, "closed"),
    (TimeoutError, "silent"),
    (aiosmtplib.SMTPServerDisconnected, "hangs_up"),
    (ConnectionResetError, "hangs_up"),
)
"""The first that stands among the causes."""


def certificate_says(error: BaseException) -> str:
    """What is wrong with the certificate, in the words of OpenSSL; they name no secret."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message)
    return ""


def _of_answer(error: aiosmtplib.SMTPResponseException) -> Fault:
    return "sender" if isinstance(error, aiosmtplib.SMTPSenderRefused) and error.code >= 500 else "refuses"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
