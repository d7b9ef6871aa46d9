"""`nightdesk` as a process of its own: forked from one that has imported it while the tests run, else started anew."""

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.support.fork_server import Forked, ForkServer
from tests.support.steps import ROOT

NIGHTDESK = str(Path(sys.executable).with_name("nightdesk"))
SHIFTED = (sys.executable, "-m", "tests.support.shifted")
MODULES = {(NIGHTDESK,): "chat.cli", SHIFTED: "tests.support.shifted"}
"""What can be forked."""
COMMAND_SECONDS = 60.0
_servers: list[ForkServer] = []
_is_forking = False


class ProgramFailed(RuntimeError):
    """The program ended, or said nothing in time; the message ends with its log."""


def fork_from_now_on() -> None:
    """Figures are of programs that were started anew; what the tests see is the same in both."""
    global _is_forking  # noqa: PLW0603 — of this process, as is the server
    _is_forking = True


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: IO[Any] | int,
    errors: IO[Any] | None = None,
    *,
    program: Sequence[str] = (NIGHTDESK,),
) -> "subprocess.Popen[bytes] | Forked":
    """In the project's folder, with nothing to read; `output` takes its errors too, where they have no place of their
    own. `program`: another version."""
    with Path(os.devnull).open("rb") as nothing:
        if _is_forking and (module := MODULES.get(tuple(program))):
            said = output if isinstance(output, int) else output.fileno()
            descriptors = (nothing.fileno(), said, said if errors is None else errors.fileno())
            return _server().start(arguments, environment, ROOT, descriptors, module)
        return subprocess.Popen(
            [*program, *arguments], cwd=ROOT, env=environment, stdin=nothing, stdout=output, stderr=errors or output
        )


def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Whatever its exit code. Raises subprocess.TimeoutExpired after a minute."""
    command = [NIGHTDESK, *arguments]
    if not _is_forking:
        return subprocess.run(
            command, cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, timeout=COMMAND_SECONDS
        )
    with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        read.write(stdin.encode())
        read.seek(0)
        forked = _server().start(arguments, environment, ROOT, (read.fileno(), output.fileno(), errors.fileno()))
        try:
            code = forked.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            forked.kill()
            raise
        texts = []
        for one in (output, errors):
            one.seek(0)
            texts.append(one.read().decode())
        return subprocess.CompletedProcess(command, code, *texts)


def _server() -> ForkServer:
    if not _servers:
        _servers.append(ForkServer())
        atexit.register(_servers[0].close)
    return _servers[0]
