"""Links that carry a signature: a path cannot be guessed or altered. Life and revocation are the row's behind it."""

import base64
import hashlib
import hmac


class Links:
    def __init__(self, secret_key: str, base_url: str) -> None:
        self._key = hashlib.sha256(b"nightdesk links\0" + secret_key.encode()).digest()
        self._base_url = base_url

    def address(self, path: str) -> str:
        """The public URL of a path that anybody may know."""
        return f"{self._base_url}{path}"

    def sign(self, path: str) -> str:
        """`/t/0198…` -> the public URL `https://…/t/0198…/<signature>` (128 bits)."""
        return f"{self.address(path)}/{self._signature(path)}"

    def verify(self, path: str, signature: str) -> bool:
        return hmac.compare_digest(self._signature(path).encode(), signature.encode("utf-8", "replace"))

    def _signature(self, path: str) -> str:
        digest = hmac.new(self._key, path.encode(), hashlib.sha256).digest()[:16]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
