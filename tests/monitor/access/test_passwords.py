from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from typing import Literal

import pytest
from argon2 import PasswordHasher

from monitor.access import AccountError
from monitor.access.passwords import BusyError, Passwords, check_password
from tests.monitor.access.cheap import CHEAP, PASSWORD


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(CHEAP)
    yield passwords
    passwords.close()


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("eleven char", "at least 12 characters"),
        ("x" * 257, "at most 256"),
        ("anna-the-admin", "is not the user's name"),
        ("Anna-The-Admin", "is not the user's name"),
        ("aaaaaaaaaaaaaaaa", "4 different"),
        ("", "at least 12"),
    ],
)
def test_bad_passwords_are_refused_in_words(password: str, complaint: str) -> None:
    with pytest.raises(AccountError, match=complaint):
        check_password(password, "anna-the-admin")


def test_a_name_repeated_is_no_password() -> None:
    with pytest.raises(AccountError, match="user's name"):
        check_password("annabell" * 2, "annabell")


def test_length_is_enough_without_digits_or_signs() -> None:
    check_password("correct horse battery", "anna")


@pytest.mark.anyio
async def test_the_right_password_is_right_and_what_is_kept_does_not_tell_it(passwords: Passwords) -> None:
    kept = await passwords.hash(PASSWORD)
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept
    assert kept != await passwords.hash(PASSWORD)
    assert (await passwords.check(kept, PASSWORD)).right
    assert not (await passwords.check(kept, PASSWORD + " ")).right
    assert not (await passwords.check(kept, "x" * 1_000_000)).right
    assert not (await passwords.check("no hash at all", PASSWORD)).right
    assert not (await passwords.check(None, PASSWORD)).right


@pytest.mark.anyio
async def test_however_a_keyboard_composes_its_letters_it_is_the_same_password(passwords: Passwords) -> None:
    kept = await passwords.hash(unicodedata.normalize("NFD", "schöne grüße an alle"))
    assert (await passwords.check(kept, unicodedata.normalize("NFC", "schöne grüße an alle"))).right


@pytest.mark.anyio
async def test_an_old_hash_is_renewed_by_the_parameters_of_today(passwords: Passwords) -> None:
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    checked = await passwords.check(old, PASSWORD)
    assert checked.renewed is not None
    assert not CHEAP.check_needs_rehash(checked.renewed)
    assert (await passwords.check(checked.renewed, PASSWORD)).renewed is None
    assert (await passwords.check(old, "wrong")).renewed is None


@pytest.mark.anyio
async def test_a_flood_is_refused_and_the_rest_still_answered(passwords: Passwords) -> None:
    kept = await passwords.hash(PASSWORD)
    answers = await asyncio.gather(*(passwords.check(kept, PASSWORD) for _ in range(200)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BusyError)]
    assert 0 < len(refused) < 200
    assert all(getattr(answer, "right", True) for answer in answers)
    assert (await passwords.check(kept, PASSWORD)).right


@pytest.mark.anyio
async def test_an_unknown_user_is_checked_at_the_cost_of_a_known_one() -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            verified.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return super().verify(hash, password)

    passwords = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    kept = await passwords.hash(PASSWORD)
    await passwords.check(kept, "wrong password")
    await passwords.check(None, "wrong password")
    passwords.close()
    assert len(verified) == 2
    assert verified[0] == verified[1]  # algorithm and parameters
