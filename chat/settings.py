"""Every `NIGHTDESK_*` variable, read once, refused at start when it makes no sense.

The table in the README is made from the descriptions here.
"""

import ipaddress
import os
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

PREFIX = "NIGHTDESK_"


class SettingsRefused(Exception):
    """The settings make no sense; `faults` holds one sentence each, with the variable's name."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _listed(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not _is_port(port):
        raise ValueError("write an address and a port, as 127.0.0.1:8000")
    return value


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= 65535


def _has_good_port(url: str) -> bool:
    """Of several hosts each. What follows the last colon may be a part of a password, so it is never repeated."""
    hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts]
    return all(not port or _is_port(port) for port in ports)


def _listen_or_none(value: str | None) -> str | None:
    return _listen(value) if value else None


def _true_or_false(value: object) -> object:
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise ValueError("write true or false")
        return value == "true"
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    is_whole = parts.hostname and _has_good_port(value)
    if parts.scheme not in ("http", "https") or not is_whole or parts.query or parts.fragment:
        raise ValueError("write the public address, as https://chat.example.com")
    if parts.path.strip("/"):
        raise ValueError("the address must have no path: Nightdesk wants a host name of its own")
    return value.rstrip("/")


def _redis_url(value: str | None) -> str | None:
    if value and (urlsplit(value).scheme not in ("redis", "rediss", "unix") or not _has_good_port(value)):
        raise ValueError("write redis://host:6379/0 or rediss://…")
    return value or None


def _database_url(value: str | None) -> str | None:
    if not value:
        return None
    scheme = urlsplit(value).scheme
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError("write postgresql://user:password@host/name or sqlite:///path")
    if scheme == "sqlite" and urlsplit(value).path.strip("/") in ("", ":memory:"):
        raise ValueError("write the path of a file, as sqlite:////var/lib/nightdesk/nightdesk.sqlite3")
    if scheme == "postgresql" and not _has_good_port(value):
        raise ValueError("a port is a number; in a password write %2F for /, %3A for : and %40 for @")
    return value


def _smtp_url(value: SecretStr | None) -> SecretStr | None:
    url = value.get_secret_value() if value else ""
    if not url:
        return None
    parts = urlsplit(url)
    is_whole = parts.hostname and _has_good_port(url) and parts.path in ("", "/") and not parts.query
    if parts.scheme not in ("smtp", "smtps", "smtp+starttls") or not is_whole:
        raise ValueError("write smtp+starttls://user:password@host:587, smtps://… or smtp://…; in a password %40 for @")
    if parts.scheme == "smtp" and parts.password and not _is_local(parts.hostname or ""):
        raise ValueError("smtp:// would send the password readable: write smtp+starttls://… or smtps://…")
    return value


def _mail_from(value: str | None) -> str | None:
    if not value:
        return None
    _name, address = parseaddr(value)
    local, _, domain = address.rpartition("@")
    plain = address.isascii() and address.isprintable() and " " not in address and value.isprintable()
    if not local or "." not in domain.strip(".") or not plain or value.count("@") != 1:
        raise ValueError("write an address, as support@example.com or Example <support@example.com>")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("write a zone name, as Europe/Ljubljana") from error
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValueError(f"{network} is no network: write 10.0.0.0/8") from error
    return value


List = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Settings(BaseModel):
    """Frozen. What an operator may change while running is a row, not a setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[str | None, AfterValidator(_database_url)] = Field(
        None, description="`postgresql://…`; without it a SQLite file in `DATA_DIR`"
    )
    redis_url: Annotated[str | None, AfterValidator(_redis_url)] = Field(
        None, description="`redis://…`: the bus between processes; without it one process with a bus in memory"
    )
    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        "http://127.0.0.1:8000", description="public address; all links come from it, never from a Host header"
    )
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:8000", description="where it listens; nothing wider unless told"
    )
    secret_key: SecretStr | None = Field(
        None, description="signs links; made at first start in `DATA_DIR`, required with PostgreSQL"
    )
    files_url: Annotated[str | None, AfterValidator(lambda value: _base_url(value) if value else None)] = Field(
        None, description="another host name of this server, from which uploads are handed out; else `BASE_URL`"
    )
    upload_max_bytes: int = Field(
        26_214_400, ge=65536, le=1_073_741_824, description="largest file that somebody may send"
    )
    scan_command: str | None = Field(
        None, description="virus scanner: the path of a file is added, 0 means clean and 1 infected, as `clamdscan`"
    )
    data_dir: Path = Field(Path("data"), description="database, keys, uploads, compressed assets")
    trusted_proxies: Annotated[List, AfterValidator(_networks)] = Field(
        (), description="networks whose `X-Forwarded-For` counts, comma-separated"
    )
    websockets: Literal["picows", "websockets"] = Field(
        "picows", description="what carries WebSockets: `picows`, lean and fast, or `websockets`, pure Python"
    )
    frame_max_bytes: int = Field(65536, ge=4096, le=1_048_576, description="largest frame on a WebSocket")
    sockets_per_address: int = Field(
        50, ge=1, description="WebSockets that one address (IPv6: /64) may hold in one process"
    )
    attempts_per_minute: int = Field(60, ge=1, description="how often one address may open a WebSocket, per process")
    resumes_per_second: int = Field(
        500, ge=1, description="how many sockets and polls one process lets in each second; operators come first"
    )
    conversations_per_hour: int = Field(
        20, ge=1, description="how many conversations one address may begin in an hour, per process"
    )
    smtp_url: Annotated[SecretStr | None, AfterValidator(_smtp_url)] = Field(
        None,
        description="`smtp+starttls://user:password@host:587`, `smtps://…` or, without encryption, `smtp://…`; "
        "without it mail waits and the console says so",
    )
    mail_from: Annotated[str | None, AfterValidator(_mail_from)] = Field(
        None, description="sender of mail, as `Example <support@example.com>`; required with `SMTP_URL`"
    )
    metrics_listen: Annotated[str | None, AfterValidator(_listen_or_none)] = Field(
        None,
        description="where `/metrics` answers, as `127.0.0.1:9300`; "
        "each process takes the next free port, and its successor the same",
    )
    metrics_token: SecretStr | None = Field(
        None, description="with it `/metrics` answers on the main address too, to this Bearer token"
    )
    canary: Annotated[bool, BeforeValidator(_true_or_false)] = Field(
        False, description="`true`: a synthetic visitor and operator talk every 30 s and tell when that fails"
    )
    locales: List = Field(("en", "sl"), description="languages offered; the first is the fallback")
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "Europe/Ljubljana", description="zone for times written without one"
    )
    offer_seconds: float = Field(30, ge=1, le=600, description="how long an offer waits for its operator")
    vanished_seconds: float = Field(
        45, ge=1, le=600, description="after so long without an operator's console their conversations go back"
    )
    solved_days: int = Field(
        14, ge=1, le=365, description="after so many days without a message a solved ticket is closed"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning, error")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="json, text, or by terminal")
    assets: Literal["packed", "source"] = Field("packed", description="`source` serves files as written (developing)")

    @model_validator(mode="after")
    def _pairs(self) -> "Settings":
        for locale in self.locales:
            if locale not in ("en", "sl"):
                raise ValueError(f"NIGHTDESK_LOCALES: {locale} is not complete; use en, sl")
        if not self.locales:
            raise ValueError("NIGHTDESK_LOCALES: name at least one language")
        if self.is_postgresql and self.secret_key is None:
            raise ValueError("NIGHTDESK_SECRET_KEY: required with PostgreSQL, since all processes must share it")
        host = urlsplit(self.base_url).hostname or ""
        if urlsplit(self.base_url).scheme == "http" and not _is_local(host):
            raise ValueError(f"NIGHTDESK_BASE_URL: a public address needs https, {self.base_url} has not")
        if urlsplit(self.effective_files_url).scheme != urlsplit(self.base_url).scheme:
            raise ValueError("NIGHTDESK_FILES_URL: a page over https shows nothing that comes over http; use the same")
        if self.secret_key is not None and len(self.secret_key.get_secret_value()) < 32:
            raise ValueError("NIGHTDESK_SECRET_KEY: write at least 32 characters")
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError("NIGHTDESK_MAIL_FROM: required with NIGHTDESK_SMTP_URL, as support@example.com")
        if self.metrics_token is not None and len(self.metrics_token.get_secret_value()) < 16:
            raise ValueError("NIGHTDESK_METRICS_TOKEN: write at least 16 characters")
        return self

    @property
    def is_postgresql(self) -> bool:
        return (self.database_url or "").startswith("postgresql")

    @property
    def sqlite_path(self) -> Path:
        return self.data_dir / "nightdesk.sqlite3"

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.sqlite_path.absolute()}"

    @property
    def effective_files_url(self) -> str:
        return self.files_url or self.base_url

    @property
    def is_secure(self) -> bool:
        """Cookies get Secure and the __Host- prefix."""
        return self.base_url.startswith("https:")

    @property
    def listen_host(self) -> str:
        return _parted(self.listen)[0]

    @property
    def listen_port(self) -> int:
        return _parted(self.listen)[1]

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        return _parted(self.metrics_listen) if self.metrics_listen else None


def _parted(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment; `NIGHTDESK_X_FILE` gives the value of `NIGHTDESK_X` from a file.

    Raises `SettingsRefused` with one sentence per fault.
    """
    environment = os.environ if environment is None else environment
    known = {name.upper() for name in Settings.model_fields}
    values: dict[str, Any] = {}
    faults: list[str] = []
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        short = name.removeprefix(PREFIX)
        if short in known:
            values.setdefault(short.lower(), value)  # an empty one gives way to a file
        elif short.endswith("_FILE") and short.removesuffix("_FILE") in known:
            if environment.get(name.removesuffix("_FILE")):
                faults.append(f"{name}: {name.removesuffix('_FILE')} is set too; keep one of them")
            elif value:
                try:
                    values[short.removesuffix("_FILE").lower()] = _text_of(Path(value))
                except ValueError as error:
                    faults.append(f"{name}: {value} {error}")
        else:
            faults.append(f"{name}: there is no such setting")
    if "PORT" in environment and "listen" not in values and environment["PORT"]:
        values["listen"] = f"127.0.0.1:{environment['PORT']}"
    values = {name: value for name, value in values.items() if value != ""}
    values.update(overrides)
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        faults += [_sentence(fault) for fault in error.errors(include_input=False)]
    if faults or settings is None:
        raise SettingsRefused(faults)
    return settings


def _text_of(file: Path) -> str:
    """Raises ValueError."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("is no text") from None
    if not text:
        raise ValueError("is empty")
    return text


def _sentence(fault: Any) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    return f"{PREFIX}{str(fault['loc'][0]).upper()}: {message}"
