"""Every setting in one place: ``GREFFE_…`` in the environment, overridden by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ledger.clock import MailSettings
from ledger.recorder import DEFAULT_ORIGIN

_MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """How this process runs; none of these changes what the contract says.

    ``provider_addresses`` (``GREFFE_PROVIDER_ADDRESSES``, separated by commas) are the addresses that
    OUTSCALE sends from: what leaves from them is a notification. ``acknowledgement_sender`` signs the
    automatic acknowledgements of received mail. ``api_key`` is a key of all rights for automation, never
    written down here. ``keys`` is the folder of the keys that sign the log. ``terms`` is a folder of further
    versions of the general terms (``VERSION.toml``). ``witnesses`` is a file that says who cosigns the log
    (C2SP tlog-policy), ``tsa`` lists who timestamps it (RFC 3161: ``URL|FILE`` with the roots in PEM,
    separated by commas); every ``vouch_seconds`` they are asked about what others recorded since. ``dkim``
    is the key that signs stamping messages (RFC 6376): ``DOMAIN SELECTOR KEYFILE``, RSA or Ed25519 as PEM.
    ``views`` is the folder of the views of a ledger in PostgreSQL; such a one also needs ``keys`` and,
    to be served, ``access``, since there is no file for them to lie beside.
    """

    model_config = SettingsConfigDict(env_prefix="GREFFE_", extra="ignore", frozen=True)

    db: str = "sqlite:///greffe.db"
    mail: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    origin: str = DEFAULT_ORIGIN
    provider_addresses: Annotated[tuple[str, ...], NoDecode] = ()
    acknowledgement_sender: str | None = MailSettings().acknowledgement_sender
    api_key: SecretStr | None = Field(default=None, min_length=32)
    access: Path | None = None
    keys: Path | None = None
    terms: Path | None = None
    views: Path | None = None
    witnesses: Path | None = None
    tsa: Annotated[tuple[str, ...], NoDecode] = ()
    dkim: str | None = None
    vouch_seconds: float = Field(default=60.0, gt=0)
    largest_body_bytes: int = Field(default=64 * _MEBIBYTE, ge=1)
    drain_seconds: int = Field(default=15, ge=1)

    @field_validator("provider_addresses", "tsa", mode="before")
    @classmethod
    def _separated_by_commas(cls, given: object) -> object:
        if isinstance(given, str):
            return tuple(part.strip() for part in given.split(",") if part.strip())
        return given
