"""The parts of a letter and its form as plain text; the HTML is made of the same parts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a person wrote, with who it was."""

    kind: ClassVar[str] = "said"
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Button:
    kind: ClassVar[str] = "button"
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Small:
    """Below the line."""

    kind: ClassVar[str] = "small"
    text: str


Part = Paragraph | Said | Button | Small


@dataclass(frozen=True, slots=True)
class Words:
    """`by`: whose name stands in From."""

    subject: str
    parts: Sequence[Part]
    by: str = ""


def as_text(words: Words) -> str:
    blocks: list[str] = []
    below: list[str] = []
    for part in words.parts:
        match part:
            case Paragraph(text):
                blocks.append(text)
            case Said(by, text):
                blocks.append(f"{by}:\n\n{text}" if by else text)
            case Button(label, url):
                blocks.append(f"{label}:\n{url}")
            case Small(text):
                below.append(text)
    if below:
        # The mark of a signature: mail programs leave it out of an answer.
        blocks.append("-- \n" + "\n".join(below))
    return "\n\n".join(blocks) + "\n"
