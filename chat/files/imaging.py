"""`python -m chat.files.imaging SOURCE FOLDER TYPE`: an image made anew, in a process of its own with limits.

A decoder is the most fragile thing that strangers' bytes meet: here it may crash, run wild or eat memory, and takes
nobody with it. What comes out has no metadata and nothing that hung on behind. Prints `{"size": [w, h]}` or
`{"refused": code}`; leaves `FOLDER/image` and `FOLDER/small`.
"""

import json
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from chat.files.limits import PIXELS, SMALL_PIXELS

SECONDS = 25
MEMORY = 512 * 1024 * 1024
MEMORY_WEBP = 1024 * 1024 * 1024
"""Its decoder keeps four copies of all pixels, the others one."""
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}


NICE = 10
"""Whoever chats goes first."""


def _limit(memory: int) -> None:
    with suppress(AttributeError, OSError):
        os.nice(NICE)
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024 * 1024, 256 * 1024 * 1024))


def make_anew(source: Path, folder: Path, media_type: str) -> dict[str, Any]:
    from PIL import Image, ImageOps

    wanted = FORMATS[media_type]
    # The header alone is read until the number of pixels is known to be bearable.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(source, formats=[wanted]) as image:
        width, height = image.size
        if width * height > PIXELS:
            return {"refused": "image-too-large"}
        frames = getattr(image, "n_frames", 1)
        moves = frames > 1 and width * height * frames <= PIXELS
        if moves and wanted in ("GIF", "WEBP"):
            made = _every_frame(image, frames)
            more: dict[str, Any] = {"save_all": True, "append_images": made[1:], "loop": 0}
            more["duration"] = _durations(image, frames)
        else:
            image.seek(0)
            ImageOps.exif_transpose(image, in_place=True)
            made = [_bare(image)]
            more = {}
        image.close()  # each copy of a large one is 160 MB
    if wanted == "JPEG":
        if made[0].mode != "RGB":
            made[0] = made[0].convert("RGB")
        more = {"quality": 88, "optimize": True, "progressive": True}
    elif wanted == "WEBP":
        more |= {"quality": 88}
    made[0].save(folder / "image", wanted, **more)
    size = list(made[0].size)
    del made[1:]
    made[0].thumbnail((SMALL_PIXELS, SMALL_PIXELS))
    made[0].convert("RGBA").save(folder / "small", "WEBP", quality=80)
    return {"size": size}


def _bare(image: Any) -> Any:
    """The pixels alone, in colours that every format has."""
    from PIL import Image

    mode = "RGBA" if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info else "RGB"
    bare = Image.new(mode, image.size)
    bare.paste(image if image.mode == mode else image.convert(mode))
    return bare


def _every_frame(image: Any, frames: int) -> list[Any]:
    made = []
    for number in range(frames):
        image.seek(number)
        made.append(_bare(image))
    return made


def _durations(image: Any, frames: int) -> list[int]:
    """Milliseconds; a frame that lasts no time would spin."""
    found = []
    for number in range(frames):
        image.seek(number)
        found.append(max(20, int(image.info.get("duration", 100) or 100)))
    return found


def main() -> None:
    source, folder, media_type = sys.argv[1:]
    _limit(MEMORY_WEBP if media_type == "image/webp" else MEMORY)
    warnings.simplefilter("ignore")
    try:
        answer = make_anew(Path(source), Path(folder), media_type)
    except Exception:
        # Whatever a decoder complains of: to people it is an image that cannot be read.
        answer = {"refused": "image-broken"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
