"""A certificate for `localhost`, its own authority, made by openssl for one run."""

import subprocess
from pathlib import Path

from tests.support.needs import program


def certificate(folder: Path) -> tuple[Path, Path]:
    """The certificate, which is its own authority too, and its key."""
    made, key = folder / "localhost.pem", folder / "localhost.key"
    subprocess.run(
        [
            *(
                program("openssl"),
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-days", "2", "-keyout", str(key), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    return made, key
