"""Hiding secret values in a report: passwords, keys, tokens, sessions, card numbers.

A field is masked because of its name, or because one of its values in the report looks like a
secret. The former is certain, the latter a guess; both tend to hide too much, because users can ask
for the values. The lengths, numbers and types of values are reported in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from bson import Code, Int64

from djongo_services.introspection.path import Path
from djongo_services.introspection.report import Field, Finding, Profile, ValueSummary

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SECRET_WORDS: Final = frozenset(
    {
        *("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "pw", "pswd"),
        *("secret", "secrets", "token", "tokens", "jwt", "bearer", "salt", "hash", "hashes"),
        *("hashed", "digest", "authorization", "credential", "credentials", "cookie", "cookies"),
        *("otp", "totp", "hotp", "pin", "mfa", "cvv", "cvc", "ssn", "iban", "pan", "apikey"),
        *("apikeys", "signature", "nonce", "csrf", "csrftoken", "passwort", "contrasena"),
    }
)
"""Words of a name, at any step of a path, below which every text is a secret."""

_SECRET_PAIRS: Final = frozenset(
    {
        *(("api", "key"), ("private", "key"), ("secret", "key"), ("access", "key")),
        *(("session", "key"), ("session", "data"), ("session", "id"), ("encryption", "key")),
        *(("signing", "key"), ("auth", "key"), ("auth", "data"), ("auth", "code"), ("card", "no")),
        *(("ssh", "key"), ("license", "key"), ("master", "key"), ("shared", "key")),
        *(("recovery", "code"), ("backup", "code"), ("verification", "code"), ("reset", "code")),
        *(("security", "answer"), ("security", "code"), ("card", "number"), ("cc", "number")),
        *(("credit", "card"), ("account", "number"), ("social", "security"), ("tax", "id")),
        *(("reset", "key"), ("activation", "key"), ("confirmation", "key"), ("client", "key")),
        *(("api", "keys"), ("private", "keys"), ("recovery", "codes"), ("backup", "codes")),
    }
)
"""Pairs of consecutive words."""

_SECRET_LETTERS: Final = re.compile(
    r"password|passwd|passphrase|secret(?!ar)|apikey|privatekey|accesskey|sessionkey|sessiondata"
    r"|authtoken|accesstoken|refreshtoken|sessiontoken|credential|authorization|creditcard"
    r"|cardnumber"
)
"""Parts of a name without separators, as in ``accesstoken``."""

_NUMERIC: Final = frozenset(
    {"pin", "otp", "totp", "cvv", "cvc", "ssn", "pan", "passcode", "password", "passwd"}
)
"""Words of names whose numbers are secrets as well; elsewhere a number is a time or a count."""

_OWNERS: Final = frozenset(
    {"token", "tokens", "session", "sessions", "secret", "secrets", "credential", "credentials"}
)
"""Words of the names of collections that contain secrets, such as Django's sessions and others'."""

_IN_OWNERS: Final = frozenset({"_id", "id", "key", "value", "code", "data", "session", "sid"})
"""Fields in such a collection that are the secret itself."""

_LOOKS_SECRET: Final = re.compile(
    r"""
      (?:pbkdf2_\w+|bcrypt(?:_sha256)?|argon2\w*|scrypt|sha1|md5|unsalted_\w+)\$   # Django
    | \$(?:1|2[abxy]?|5|6|7|y|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*|bcrypt[\w-]*)\$  # crypt(3)
    | \{(?:S?SHA\d*|S?MD5|CRYPT|PBKDF2[\w-]*|ARGON2)\}                              # LDAP
    | !\w{40}$                                                 # Django's unusable passwords
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY
    | PuTTY-User-Key-File
    | eyJ[\w-]{8,}\.[\w-]+                                     # JSON Web Tokens
    | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b                    # AWS
    | gh[pousr]_\w{30,} | github_pat_\w{20,} | glpat-[\w-]{16,}
    | xox[a-z]-[\w-]{8,}                                       # Slack
    | (?:sk|rk|pk|whsec)_(?:live|test)_\w{8,} | whsec_\w{8,}   # Stripe
    | sk-[\w-]{20,}
    | AIza[\w-]{30,} | ya29\.[\w-]+ | GOCSPX-[\w-]{10,}        # Google
    | SG\.[\w-]{16,}\.[\w-]{16,}                               # SendGrid
    | (?:npm_|pypi-|dop_v1_|shpat_|hf_)\w{16,}
    | (?:Bearer|Basic|Token|Digest)\ [\w+/=.~-]{8,}
    | otpauth://
    """,
    re.VERBOSE,
)
"""Beginnings of secrets."""

_HOLDS_SECRET: Final = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"
    r"|[?&;](?:access_?token|token|sig|signature|secret|password|passwd|api_?key|key"
    r"|x-amz-signature|x-goog-signature|x-amz-security-token)=[^&]{6,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY",
    re.IGNORECASE,
)
"""What makes a URL or a text a secret."""

_SIGNED: Final = re.compile(r"\.?[\w-]{8,}:[\w-]{5,8}:[\w-]{27,}")
"""The format of ``django.core.signing``, of signed cookies and of Django's sessions in the
database."""

_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{32,}")
_WORD: Final = re.compile(r"(?=(?:.*\d){3})(?=.*[a-z])[a-z0-9]{32,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_.-]{32,}={0,2}")
_UUID_HEX: Final = re.compile(
    r"[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)
_CARD: Final = re.compile(
    r"[3-6]\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{3,4}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5}"
)
_SSN: Final = re.compile(r"\d{3}-\d{2}-\d{4}")

_MIXED: Final = 0.4
"""The share of places between two characters at which random text changes between capitals, small
letters and digits; in names that people write, it is half of that."""

HIDDEN: Final = "(hidden)"

_ALL_UUIDS: Final = 0.95


def without_secrets(profile: Profile) -> Profile:
    """The profile with all summaries masked that look like secrets."""
    fields = tuple(_masked(profile.collection, found) for found in profile.fields)
    return replace(profile, fields=fields)


def without_secret_examples(collection: str, warnings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The warnings without the ``_id`` of documents if that is a secret."""

    def is_secret(value: Any) -> bool:
        owned = isinstance(value, str) and _is_in_owner(collection, ("_id",))
        return owned or looks_secret(value)

    return tuple(
        replace(one, examples=()) if any(map(is_secret, one.examples)) else one for one in warnings
    )


def masked_document(document: Mapping[str, Any], collection: str) -> dict[str, Any]:
    """A document in which :data:`HIDDEN` replaces every text that is or looks like a secret."""
    return {name: _hidden(value, (name,), collection) for name, value in document.items()}


def _hidden(value: Any, path: Path, collection: str) -> Any:
    match value:
        case Mapping():
            return {name: _hidden(each, (*path, name), collection) for name, each in value.items()}
        case list():
            return [_hidden(each, path, collection) for each in value]
        case _:
            return HIDDEN if is_secret_value(value, path, collection) else value


def is_secret_value(value: Any, path: Path, collection: str) -> bool:
    """Whether one value, neither a document nor an array, is or looks like a secret."""
    match value:
        case str() | bytes():
            named = is_secret_name(path) or _is_in_owner(collection, path)
            return named or looks_secret(value) or _is_personal(value)
        case int():
            return type(value) in (int, Int64) and _is_numeric_secret(path)
        case _:
            return False


def is_secret_path(collection: str, path: Path) -> bool:
    """Whether values at the path are secrets by the names alone, before any value is known."""
    return is_secret_name(path) or _is_in_owner(collection, path) or _is_numeric_secret(path)


def _is_personal(value: str | bytes) -> bool:
    return isinstance(value, str) and (_is_card(value) or _is_ssn(value))


def _masked(collection: str, field: Field) -> Field:
    children = tuple(_masked(collection, child) for child in field.children)
    values = field.values
    if values is not None and _is_secret(collection, field.path, values):
        values = replace(values, minimum=None, maximum=None, enum=(), masked=True)
    return replace(field, values=values, children=children)


def _is_secret(collection: str, path: Path, values: ValueSummary) -> bool:
    shown = list(_shown(values))
    texts = [value for value in shown if isinstance(value, str | bytes)]
    if texts and (is_secret_name(path) or _is_in_owner(collection, path)):
        return True
    if any(type(value) in (int, Int64, float) for value in shown) and _is_numeric_secret(path):
        return True
    is_uuid = values.formats.get("uuid", 0.0) >= _ALL_UUIDS
    if any(looks_secret(value) for value in texts if not (is_uuid and _is_uuid(value))):
        return True
    numbers = [str(value) for value in shown if type(value) in (int, Int64, str)]
    return len(numbers) == len(shown) > 0 and all(_is_card(one) or _is_ssn(one) for one in numbers)


def _shown(values: ValueSummary) -> Iterator[Any]:
    yield from (value for value, _ in values.enum if value is not None)
    yield from (value for value in (values.minimum, values.maximum) if value is not None)


def is_secret_name(path: Path) -> bool:
    """Whether a name in the path means that everything below is a secret."""
    return any(_is_secret_step(step) for step in path if isinstance(step, str))


@lru_cache(maxsize=4096)
def _is_secret_step(name: str) -> bool:
    words = _words(name)
    if not _SECRET_WORDS.isdisjoint(words) or "".join(words) in ("pass", "auth"):
        return True
    if any(pair in _SECRET_PAIRS for pair in pairwise(words)):
        return True
    return _SECRET_LETTERS.search("".join(words)) is not None


def _is_numeric_secret(path: Path) -> bool:
    names = [step for step in path if isinstance(step, str)]
    last = _words(names[-1]) if names else []
    return bool(last) and (last[-1] in _NUMERIC or tuple(last[-2:]) == ("card", "number"))


def _is_in_owner(collection: str, path: Path) -> bool:
    return path[-1] in _IN_OWNERS and not _OWNERS.isdisjoint(_words(collection))


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def looks_secret(value: Any) -> bool:
    """Whether a text looks like a hash, a key, a token or a URL with a password."""
    if not isinstance(value, str) or isinstance(value, Code):
        return False
    text = value.strip()
    return (
        _LOOKS_SECRET.match(text) is not None
        or _HOLDS_SECRET.search(text) is not None
        or _SIGNED.fullmatch(text) is not None
        or _is_random(text)
    )


def _is_random(text: str) -> bool:
    if len(text) < 32 or _is_uuid(text):
        return False
    if _HEX.fullmatch(text):
        return not text.isdigit()
    if _WORD.fullmatch(text):
        return True
    return _BASE64.fullmatch(text) is not None and _changes(text) >= _MIXED


def _changes(text: str) -> float:
    kinds = [_kind(character) for character in text]
    changes = sum(a != b for a, b in pairwise(kinds))
    return changes / (len(text) - 1) if {"A", "a", "0"} <= set(kinds) else 0.0


def _kind(character: str) -> str:
    if character.isdigit():
        return "0"
    return "A" if character.isupper() else "a"


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and _UUID_HEX.fullmatch(value) is not None


def _is_ssn(text: str) -> bool:
    return _SSN.fullmatch(text) is not None


def _is_card(text: str) -> bool:
    """Whether it is a card number, by length, first digit and check digit (ISO/IEC 7812)."""
    if _CARD.fullmatch(text) is None:
        return False
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
