"""Django's validators of texts as patterns for the server.

Each pattern matches every text that the validator accepts. Some validators check more than a
pattern can express (such as the number of groups in an IPv6 address); such gaps are noted where
they occur.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from django.core import validators

from djongo_services.schema.mapping.patterns import (
    SAFE_LENGTH,
    Pattern,
    Untranslatable,
    translate,
)

Keywords = Mapping[str, Any]

_IPV4 = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"\A{_IPV4}(?:\.{_IPV4}){{3}}\z"
IPV6 = r"\A[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[^%]+)?\z"
"""The characters of an address; Django checks the number of groups."""
NO_NULL_CHARACTER = r"\A[^\x{0}]*\z"
LONGEST_EMAIL = 320


def text_keywords(validator: Any, longest: int | None) -> Keywords | None:
    """The keywords that are equivalent to a validator of texts; None for an unknown one.

    ``longest`` is the maximum number of characters in the field. Raises
    :class:`~djongo_services.schema.mapping.patterns.Untranslatable`.
    """
    # By identity: most validators can be compared, but not hashed.
    for function, pattern in _FUNCTIONS:
        if validator is function:
            return {"pattern": pattern}
    match validator:
        case validators.URLValidator() if _calls(validator, validators.URLValidator):
            return _url(validator)
        case validators.DomainNameValidator() if _calls(validator, validators.DomainNameValidator):
            return _domain_name(validator)
        case validators.RegexValidator() if _calls(validator, validators.RegexValidator):
            return _regex(validator, longest)
        case validators.EmailValidator() if _is_plain_email(validator):
            return {"pattern": _email(validator), "maxLength": LONGEST_EMAIL}
        case validators.ProhibitNullCharactersValidator():
            return {"pattern": NO_NULL_CHARACTER}
    return None


def file_keywords(validator: Any) -> Keywords | None:
    """The same for validators of files, of which the database contains only the name."""
    if validator is validators.validate_image_file_extension:
        return _extension(validators.get_available_image_extensions())
    match validator:
        case validators.FileExtensionValidator() if _calls(
            validator, validators.FileExtensionValidator
        ):
            return _extension(validator.allowed_extensions)
    return None


def _calls(validator: Any, known: type[Any]) -> bool:
    """Whether a subclass left the check itself unchanged."""
    return type(validator).__call__ is known.__call__


def _regex(validator: Any, longest: int | None) -> Keywords:
    source, flags = validator.regex.pattern, validator.regex.flags
    found = translate(source, flags, wide=not validator.inverse_match)
    matching: dict[str, Any] = {"pattern": found.text}
    if validator.inverse_match:
        # For texts only: anything else fails the inner schema, and thereby passes.
        return {"not": {"bsonType": "string", **matching}}
    if found.repeats_groups and (longest is None or longest > SAFE_LENGTH):
        return {"anyOf": [{"minLength": SAFE_LENGTH + 1, "bsonType": "string"}, matching]}
    return matching


def _url(validator: Any) -> Keywords:
    schemes = "|".join(re.escape(scheme) for scheme in validator.schemes)
    scheme = translate(f"^(?:{schemes})(?=://)", re.IGNORECASE)
    whole = translate(validator.regex.pattern, validator.regex.flags)
    return {"pattern": rf"\A(?={scheme.text}){whole.text}", "maxLength": validator.max_length}


def _domain_name(validator: Any) -> Keywords:
    whole = translate(validator.regex.pattern, validator.regex.flags)
    text = whole.text if validator.accept_idna else rf"\A(?=[\x{{0}}-\x{{7f}}]*\z){whole.text}"
    return {"pattern": text, "maxLength": validator.max_length}


def _is_plain_email(validator: Any) -> bool:
    plain, kind = validators.EmailValidator, type(validator)
    return all(
        getattr(kind, name) is getattr(plain, name)
        for name in (
            "__call__",
            "validate_domain_part",
            "user_regex",
            "domain_regex",
            "literal_regex",
        )
    )


def _email(validator: Any) -> str:
    """The user's part ends at the last @; whether a bracketed address is valid is not checked."""
    user = _part(validator.user_regex, end=r"(?=@[^@]*\z)")
    domain = _part(validator.domain_regex)
    address = _part(validator.literal_regex)
    allowed = [translate(re.escape(name) + r"\Z").text for name in validator.domain_allowlist]
    # "^" in the domain's own pattern is the position after the @.
    domain = domain.removeprefix(r"\A")
    return rf"{user}@(?:{'|'.join([domain, address, *allowed])})"


def _part(regex: Any, *, end: str = r"\z") -> str:
    return translate(regex.pattern, regex.flags, end=end).text


def _extension(allowed: Collection[str] | None) -> Keywords:
    if allowed is None or "" in allowed:
        return {}
    if not allowed:
        raise Untranslatable("it allows no extension at all")
    names = "|".join(re.escape(name) for name in allowed)
    return {"pattern": _any_case(rf"\.(?:{names})[./]*\Z").text}


def _any_case(source: str) -> Pattern:
    return translate(source, re.IGNORECASE)


_FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (validators.validate_ipv4_address, IPV4),
    (validators.validate_ipv6_address, IPV6),
    (validators.validate_ipv46_address, f"{IPV4}|{IPV6}"),
)
