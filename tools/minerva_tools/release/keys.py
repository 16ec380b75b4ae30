"""Signing keys: Ed25519 in encrypted OpenSSH files, which belong on a machine without a hub; and key sets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from minerva import keyset
from minerva.errors import UpdateError
from minerva_hub.errors import UserError

from minerva_tools.release.texts import encoded

MIN_PASSPHRASE: Final = 8  # characters: the file may be stolen and guessed at leisure
KDF_ROUNDS: Final = 64  # of bcrypt, half a second for each guess; ssh-keygen takes 24
MAX_FILE: Final = 16_384


def generate(path: Path, passphrase: str) -> Path:
    """Make a key: `path` gets the private one, encrypted, readable by its owner alone; beside it `.pub`.

    The `.pub` file's path comes back. UserError: a file is there already, or the passphrase is too short.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise UserError(f"a passphrase of {len(passphrase)} characters; at least {MIN_PASSPHRASE} are wanted")
    public_path = path.with_suffix(".pub")
    if path.suffix == ".pub" or public_path.exists():
        raise UserError(f"{public_path} exists already, or is no name for a private key; take another name")
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.PrivateFormat.OpenSSH.encryption_builder()
        .kdf_rounds(KDF_ROUNDS)
        .build(passphrase.encode()),
    )
    write_new(path, pem, 0o600)
    write_new(public_path, key.public_key().public_bytes_raw().hex().encode() + b"\n", 0o644)
    return public_path


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that is not there yet, and put it on the disk; UserError where it cannot be."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError:
        raise UserError(f"{path} exists already and is not written over") from None
    except OSError as problem:
        raise UserError(f"{path}: cannot be written: {problem.strerror}") from problem


def read(path: Path, most: int = MAX_FILE) -> bytes:
    """A small file; UserError when it is missing or has more than `most` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as problem:
        raise UserError(f"{path}: cannot be read: {problem.strerror}") from problem
    if len(data) > most:
        raise UserError(f"{path}: more than the {most} bytes that are read")
    return data


def load(path: Path, passphrase: str) -> Ed25519PrivateKey:
    """The private key of a file; UserError: no such key in it, or another passphrase."""
    try:
        key = serialization.load_ssh_private_key(read(path), passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise UserError(
            f"{path}: no Ed25519 key that this passphrase opens (minerva release keygen)"
        ) from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"{path}: a {type(key).__name__}; releases are signed with Ed25519 keys")
    return key


def load_public(path: Path) -> bytes:
    """The 32 bytes of a `.pub` file; UserError."""
    text = read(path).strip()
    try:
        raw = bytes.fromhex(text.decode("ascii"))
        Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as problem:
        raise UserError(f"{path}: not a public key of 64 hex digits, as keygen writes beside it") from problem
    return raw


def keyset_text(version: int, threshold: int, keys: Sequence[bytes]) -> bytes:
    """The text of a key set; UserError where it would be none."""
    text = encoded(
        {"format": 1, "version": version, "threshold": threshold, "keys": [key.hex() for key in keys]}
    )
    try:
        keyset.parse(text)
    except UpdateError as refused:
        raise UserError(f"a threshold of {threshold} with {len(keys)} keys: {refused.message}") from refused
    return text


def load_keyset(path: Path) -> keyset.KeySet:
    """The key set of a file; UserError."""
    try:
        return keyset.parse(read(path))
    except UpdateError as refused:
        raise UserError(f"{path} is no key set: {refused.message} ({refused.code})") from refused
