"""Why a file is not taken. The sentence is what people read; `code` is for programs.

FileRefused            the file is not sent, and sending it again does not help
├── TypeNotAllowed, NameDeceives, TooLarge, Empty, ImageBroken, ImageTooLarge, Infected
├── TooManyFiles       in one message
├── QuotaReached       tomorrow there is room again
└── NoSuchFile         unknown, foreign, refused or not there yet: all look the same
FileDelayed            nothing is wrong with the file: try again
├── DiskLow, NotChecked, TooManyAtOnce
└── OutOfStep          `received` says where to go on
"""

from typing import ClassVar

from chat.protocol.errors import Refusal, gettext


class FileRefused(Refusal):
    code = "file-refused"
    message = gettext("The file was not accepted.")
    status: ClassVar[int] = 422


class TypeNotAllowed(FileRefused):
    code = "type-not-allowed"
    status = 415
    message = gettext(
        "This file type is not allowed. Allowed are images (PNG, JPEG, GIF, WebP), PDF, text and log files, "
        "office documents, ZIP and GZ archives, MP4 and WebM."
    )


class NameDeceives(FileRefused):
    code = "name-deceives"
    status = 415
    message = gettext("The file is not what its name says. Give it the ending of its real type.")


class TooLarge(FileRefused):
    code = "too-large"
    status = 413
    message = gettext("The file is too large. Up to %(limit)s are possible; a ZIP archive may help.")


class Empty(FileRefused):
    code = "empty"
    message = gettext("The file is empty.")


class ImageBroken(FileRefused):
    code = "image-broken"
    message = gettext("The image cannot be read. Save it again as PNG or JPEG.")


class ImageTooLarge(FileRefused):
    code = "image-too-large"
    message = gettext("The image has more than 40 megapixels. Make it smaller.")


class Infected(FileRefused):
    code = "infected"
    message = gettext("The virus scanner found something in this file.")


class TooManyFiles(FileRefused):
    code = "too-many-files"
    message = gettext("Up to 10 files go with one message.")


class QuotaReached(FileRefused):
    code = "quota"
    status = 429
    message = gettext("So many files came today that there is no room for this one. Try again tomorrow.")


class NoSuchFile(FileRefused):
    code = "no-such-file"
    status = 404
    message = gettext("The file is not there any more. Attach it again.")


class FileDelayed(Refusal):
    code = "file-delayed"
    message = gettext("The file is tried again in a moment.")
    status: ClassVar[int] = 503
    retry = True


class DiskLow(FileDelayed):
    code = "disk-low"
    status = 507
    message = gettext("The server has no room for files at the moment. Your text can be sent without it.")


class NotChecked(FileDelayed):
    code = "not-checked"
    message = gettext("The file could not be checked yet. It is tried again by itself.")


class TooManyAtOnce(FileDelayed):
    code = "too-many-at-once"
    status = 429
    message = gettext("Many files are on their way already. This one is tried again in a moment.")


class OutOfStep(FileDelayed):
    code = "out-of-step"
    status = 409
    message = gettext("The connection broke. The file goes on where it stopped.")

    def __init__(self, received: int) -> None:
        super().__init__()
        self.received = received


REFUSALS: dict[str, type[FileRefused]] = {
    one.code: one
    for one in (TypeNotAllowed, NameDeceives, TooLarge, Empty, ImageBroken, ImageTooLarge, Infected, NoSuchFile)
}
"""By what a row keeps of them."""
