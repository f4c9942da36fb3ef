"""The rows of Django's own fields and of django-mongodb-backend's, by internal type.

Sources: the ``data_types`` and the operations of django-mongodb-backend 5.2 and 6.1; for plain
projects the BSON type that is closest to the Python type and loses nothing.
"""

from __future__ import annotations

from djongo_services.schema.mapping import codecs
from djongo_services.schema.mapping.table import (
    Codec,
    FieldMapping,
    Stored,
    register_field,
    unchanged,
    writes,
)

UUID_HEX = r"\A[0-9a-f]{32}\z"
TIME_OF_DAY = r"\A(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?\z"
JSON_TYPES = ("double", "string", "object", "array", "bool", "int", "long")
"""Types that a JSONField can read back: the backend turns them into JSON text."""


def _register(
    *names: str,
    backend: Stored,
    plain: Stored | None = None,
    encode: Codec = unchanged,
    decode: Codec = unchanged,
    text: bool = False,
) -> None:
    row = FieldMapping(
        backend=backend, plain=plain or backend, encode=encode, decode=decode, text=text
    )
    for name in names:
        register_field(name, row)


_register(
    *("CharField", "TextField", "SlugField", "FilePathField", "FileField"),
    *("GenericIPAddressField", "IPAddressField", "CICharField", "CIEmailField", "CITextField"),
    backend=writes("string"),
    text=True,
)
_register(
    *("IntegerField", "BigIntegerField", "PositiveIntegerField", "PositiveBigIntegerField"),
    *("AutoField", "BigAutoField"),
    backend=writes("long"),
    encode=codecs.encode_long,
    decode=codecs.decode_integer,
)
_register(
    *("SmallIntegerField", "PositiveSmallIntegerField", "SmallAutoField"),
    backend=writes("int"),
    encode=codecs.encode_int,
    decode=codecs.decode_integer,
)
_register("FloatField", backend=writes("double"), decode=codecs.decode_float)
_register(
    "DecimalField",
    backend=writes("decimal"),
    encode=codecs.encode_decimal,
    decode=codecs.decode_decimal,
)
_register("BooleanField", "NullBooleanField", backend=writes("bool"))
_register(
    "BinaryField",
    backend=writes("binData"),
    encode=codecs.encode_binary,
    decode=codecs.encode_binary,
)
_register("DateField", backend=writes("date"), encode=codecs.encode_date, decode=codecs.decode_date)
_register(
    "DateTimeField",
    backend=writes("date"),
    encode=codecs.encode_datetime,
    decode=codecs.decode_datetime,
)
_register(
    "TimeField",
    backend=writes("date"),
    plain=writes("string", pattern=TIME_OF_DAY),
    encode=codecs.encode_time,
    decode=codecs.decode_time,
)
_register(
    "DurationField",
    backend=writes("long"),
    encode=codecs.encode_duration,
    decode=codecs.decode_duration,
)
_register(
    "UUIDField",
    backend=writes("string", pattern=UUID_HEX),
    plain=writes("binData"),
    encode=codecs.encode_uuid,
    decode=codecs.decode_uuid,
)
_register(
    "JSONField",
    backend=writes(*JSON_TYPES),
    encode=codecs.encode_json,
    decode=codecs.decode_json,
)
_register("ObjectIdAutoField", "ObjectIdField", backend=writes("objectId"))
_register("HStoreField", backend=writes("object"))
_register(
    *("EmbeddedModelField", "PolymorphicEmbeddedModelField"),
    backend=writes("object"),
    encode=codecs.refuse,
    decode=codecs.refuse,
)
_register(
    "ArrayField",
    backend=writes("array"),
    encode=codecs.encode_array,
    decode=codecs.decode_array,
)
_register(
    *("EmbeddedModelArrayField", "PolymorphicEmbeddedModelArrayField"),
    backend=writes("array"),
    encode=codecs.refuse,
    decode=codecs.refuse,
)
_register("BSONField", backend=Stored(writes=frozenset()))
