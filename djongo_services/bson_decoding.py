"""How values from the database are decoded that are displayed or compared, but not changed.

Every value that BSON allows can be decoded: dates beyond Python's calendar become DatetimeMS, and
text that is not UTF-8 gets replacement characters.
"""

from __future__ import annotations

from typing import Any, Final

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

LENIENT: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    document_class=dict,
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


NOT_EXTENDED_JSON = (
    ValueError,
    TypeError,
    KeyError,
    ArithmeticError,
    RecursionError,
    BSONError,
)
"""What ``json_util.loads`` raises for invalid text: no JSON, nested too deeply, or with a value
that its type does not allow."""
