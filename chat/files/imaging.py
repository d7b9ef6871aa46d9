"""`python -m chat.files.imaging SOURCE FOLDER TYPE`: an image made anew, in a process of its own with limits.

A decoder is the most fragile thing that strangers' bytes meet: here it may crash, run wild or eat memory, and takes
nobody with it. What comes out has no metadata and nothing that hung on behind. Prints `{"size": [w, h]}` or
`{"refused": code}`; leaves `FOLDER/image` and `FOLDER/small`.
"""

import json
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from chat.files.limits import PIXELS, SMALL_PIXELS

SECONDS = 25
MEMORY = 1024 * 1024 * 1024
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}


def _limit() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
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
            made = [_bare(ImageOps.exif_transpose(image))]
            more = {}
        if wanted == "JPEG":
            made[0] = made[0].convert("RGB")
            more = {"quality": 88, "optimize": True, "progressive": True}
        elif wanted == "WEBP":
            more |= {"quality": 88}
        made[0].save(folder / "image", wanted, **more)
        small = made[0].convert("RGBA")
        small.thumbnail((SMALL_PIXELS, SMALL_PIXELS))
        small.save(folder / "small", "WEBP", quality=80)
        return {"size": list(made[0].size)}


def _bare(image: Any) -> Any:
    """The pixels alone, in colours that every format has."""
    from PIL import Image

    mode = "RGBA" if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info else "RGB"
    pixels = image.convert(mode)
    bare = Image.new(mode, pixels.size)
    bare.paste(pixels)
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
    _limit()
    warnings.simplefilter("ignore")
    source, folder, media_type = sys.argv[1:]
    try:
        answer = make_anew(Path(source), Path(folder), media_type)
    except Exception:
        # Whatever a decoder complains of: to people it is an image that cannot be read.
        answer = {"refused": "image-broken"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
