"""Writes the settings table of the README from the settings; a test compares the two."""

import re
import sys
from pathlib import Path

from pydantic import SecretStr

from chat.settings import PREFIX, Settings

README = Path(__file__).parents[1] / "README.md"
PLACE = re.compile(r"(<!-- settings: .*? -->\n).*?(<!-- end of settings -->)", re.DOTALL)


def settings_table() -> str:
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(default)
        shown = "none" if default in (None, "") or isinstance(default, SecretStr) else f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    return PLACE.sub(lambda match: match[1] + settings_table() + match[2], text)


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write("README.md\n")
