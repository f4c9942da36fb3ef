"""GridFS buckets whose files take part in transactions."""

from __future__ import annotations

from djongo_services.storage.bucket.async_bucket import AsyncBucket
from djongo_services.storage.bucket.bucket import Bucket
from djongo_services.storage.bucket.file import DEFAULT_CHUNK_SIZE, StoredFile
from djongo_services.storage.bucket.uploading import UploadStream
from djongo_services.storage.bucket.uploading_async import AsyncUploadStream

__all__ = [
    "DEFAULT_CHUNK_SIZE",
    "AsyncBucket",
    "AsyncUploadStream",
    "Bucket",
    "StoredFile",
    "UploadStream",
]
