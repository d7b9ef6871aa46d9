"""Writes into the README what has its source elsewhere: the table of settings, and the configuration files that the
tests run. A test compares."""

import re
import sys
from pathlib import Path

from pydantic import SecretStr

from chat.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- settings: .*? -->\n).*?(<!-- end of settings -->)", re.DOTALL)
FILE = re.compile(r"(<!-- file: (\S+) -->\n```\w*\n).*?(```\n<!-- end of file -->)", re.DOTALL)


def settings_table() -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(default)
        shown = "none" if default in (None, "") or isinstance(default, SecretStr) else f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def shown_files(text: str) -> list[Path]:
    return [ROOT / match[2] for match in FILE.finditer(text)]


def written(text: str) -> str:
    text = TABLE.sub(lambda match: match[1] + settings_table() + match[2], text)
    return FILE.sub(lambda match: match[1] + (ROOT / match[2]).read_text(encoding="utf-8") + match[3], text)


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write("README.md\n")
