"""The codes of MongoDB's errors that the services distinguish, and sets of codes with one meaning.

Source: ``src/mongo/base/error_codes.yml`` of the server; codes above 10,000 are older than it or
belong to one place in the server's code.
"""

from __future__ import annotations

from typing import Final

UNAUTHORIZED: Final = 13
ALREADY_INITIALIZED: Final = 23
"""The code for a replica set that exists already."""
NAMESPACE_NOT_FOUND: Final = 26
INDEX_NOT_FOUND: Final = 27
NAMESPACE_EXISTS: Final = 48
MAX_TIME_EXPIRED: Final = 50
INVALID_OPTIONS: Final = 72
INDEX_OPTIONS_CONFLICT: Final = 85
INDEX_KEY_SPECS_CONFLICT: Final = 86
NOT_YET_INITIALIZED: Final = 94
WRITE_CONFLICT: Final = 112
DOCUMENT_REFUSED: Final = 121
"""DocumentValidationFailure: a validator refused the document."""
OPTION_NOT_SUPPORTED_ON_VIEW: Final = 167
"""Also the error for a collation that is not the view's."""
SNAPSHOT_UNAVAILABLE: Final = 246
NO_SUCH_TRANSACTION: Final = 251
NOT_IN_TRANSACTION: Final = 263
"""OperationNotSupportedInTransaction."""
CANNOT_CONVERT_INDEX: Final = 359
"""CannotConvertIndexToUnique: there are duplicates."""
TRANSACTION_TOO_LARGE: Final = 388
"""TransactionTooLargeForCache; before 6.0 the server calls it a write conflict."""
DUPLICATE_KEY: Final = 11000
DUPLICATE_KEY_OF_UPDATE: Final = 11001
BUILD_RUNNING: Final = 12587
"""BackgroundOperationInProgressForNamespace."""
NO_SPACE: Final = 14031
"""OutOfDiskSpace."""
UNKNOWN_STAGE: Final = 40324
"""A stage of an aggregation that this server does not have."""
USER_EXISTS: Final = 51003

AUTHENTICATION_FAILED: Final = frozenset({18, 8000})
"""AuthenticationFailed, and AtlasError, which Atlas returns for wrong credentials."""

COLLECTION_GONE: Final = frozenset({NAMESPACE_NOT_FOUND, 276})
"""The collection does not exist; its index build was aborted, for example by a drop or a rename."""

CURSOR_LOST: Final = frozenset({43, 237})
"""CursorNotFound, CursorKilled."""

INVALID_UTF8: Final = frozenset({51156, 34459})
"""``$regexMatch`` and ``$substrCP`` on a string that is not UTF-8 (MongoDB 4.4 to 6.0)."""

LOCK_TIMEOUT: Final = frozenset({24, MAX_TIME_EXPIRED})
"""LockTimeout and MaxTimeMSExpired: the same may succeed later."""

NOT_THIS_CLUSTERS_TIME: Final = frozenset({204, 205, 211})
"""TimeProofMismatch, ClusterTimeFailsRateLimiter, KeyNotFound: the time was signed by another
cluster, or by one whose clock is far ahead."""

RETRYABLE: Final = frozenset({6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""The server specification's retryable codes: an election, a shutdown, a lost network
connection."""
