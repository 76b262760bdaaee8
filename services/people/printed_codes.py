"""Codes that people type from paper: in groups, no letter mistaken for another; kept is their hash alone."""

import hashlib
import secrets

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: none is mistaken for another."""
LENGTH, GROUP = 12, 4
"""60 bits: nobody guesses one."""


def new_code() -> str:
    """One in groups, to be shown once."""
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    return "-".join(code[place : place + GROUP] for place in range(0, LENGTH, GROUP))


def kept(code: str) -> str:
    """Its hash, however it was typed: O for 0, I and L for 1, with or without its dashes."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum())[: 4 * LENGTH]
    return hashlib.sha256(plain.translate(str.maketrans("OIL", "011")).encode()).hexdigest()
