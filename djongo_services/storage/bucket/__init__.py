"""GridFS buckets whose files take part in transactions."""

from __future__ import annotations

from djongo_services.storage.bucket.asynchronous.bucket import AsyncBucket
from djongo_services.storage.bucket.asynchronous.uploading import AsyncUploadStream
from djongo_services.storage.bucket.file import DEFAULT_CHUNK_SIZE, StoredFile
from djongo_services.storage.bucket.synchronous.bucket import Bucket
from djongo_services.storage.bucket.synchronous.uploading import UploadStream

__all__ = [
    "DEFAULT_CHUNK_SIZE",
    "AsyncBucket",
    "AsyncUploadStream",
    "Bucket",
    "StoredFile",
    "UploadStream",
]
