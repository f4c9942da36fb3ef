"""Compressed and encrypted files, whole and in ranges, and what becomes of damaged ones."""

from __future__ import annotations

import base64
import gzip
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar

import pytest
import zstandard
from bson import Int64, ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import CorruptFile, GridFSStorage, NotEncrypted, StorageError
from djongo_services.storage.bucket import Bucket
from djongo_services.storage.codecs import Chain, Codec, Stage, UnknownKey, register_codec
from djongo_services.storage.codecs.encryption import BLOCK, TAG, AesGcm
from tests.storage.conftest import connect

KEYS = {"2026": base64.b64encode(bytes(range(32))).decode()}
CHAINS: dict[str, dict[str, Any]] = {
    "gzip": {"compression": "gzip"},
    "zstd": {"compression": "zstd"},
    "aes-gcm": {"encryption": True},
    "gzip, aes-gcm": {"compression": "gzip", "encryption": "aes-gcm"},
    "zstd, aes-gcm": {"compression": "zstd", "encryption": True},
}


def with_keys(settings: Any, keys: Mapping[str, str]) -> None:
    settings.DJONGO_SERVICES = {
        **settings.DJONGO_SERVICES,
        "STORAGE": {"ENCRYPTION_KEYS": dict(keys)},
    }


@pytest.fixture
def connected(settings: Any, database: Database[Any]) -> Iterator[Database[Any]]:
    """With a key, too."""
    connect(settings, database)
    with_keys(settings, KEYS)
    yield connections["default"].database
    connections.close_all()


@pytest.fixture(params=CHAINS)
def encoding(request: pytest.FixtureRequest, connected: Database[Any]) -> GridFSStorage:
    return GridFSStorage(**CHAINS[request.param])


@pytest.fixture
def encrypting(connected: Database[Any]) -> GridFSStorage:
    return GridFSStorage(encryption=True)


def content(storage: GridFSStorage, name: str) -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


def text(size: int) -> bytes:
    """Compressible, and different everywhere."""
    return b"".join(b"line %08d\n" % number for number in range(size // 14 + 1))[:size]


SIZES = [0, 1, 1_000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 17]


class TestEverythingThatIsStored:
    def test_comes_back(self, encoding: GridFSStorage) -> None:
        for size in SIZES:
            for data in (text(size), os.urandom(size)):
                name = encoding.save("a.txt", ContentFile(data))
                stored = encoding.stored(name)
                assert content(encoding, name) == data
                assert encoding.size(name) == encoding.size_of(stored) == size
                assert b"".join(encoding.read_range(stored, 0, size)) == data
                if size > 10:
                    raw = encoding.bucket.read_bytes(stored)
                    assert data not in raw or not encoding.options.encryption
                    assert len(raw) == stored.length

    def test_is_read_by_every_storage(self, encoding: GridFSStorage) -> None:
        encoding.save("a.txt", ContentFile(text(1_000)))
        assert content(GridFSStorage(), "a.txt") == text(1_000)
        with GridFSStorage().open("a.txt", "ab") as file:
            file.write(b"more")
        assert content(GridFSStorage(), "a.txt") == text(1_000) + b"more"
        assert "codecs" not in encoding.stored("a.txt").metadata
        if not encoding.options.encryption:
            assert content(encoding, "a.txt") == text(1_000) + b"more"

    def test_can_be_changed(self, encoding: GridFSStorage) -> None:
        encoding.save("a.txt", ContentFile(text(1_000)))
        with encoding.open("a.txt", "r+b") as file:
            file.seek(10)
            file.write(b"!")
        assert content(encoding, "a.txt") == text(10) + b"!" + text(1_000)[11:]
        assert encoding.stored("a.txt").metadata["codecs"]

    def test_in_ranges(self, encoding: GridFSStorage) -> None:
        data = text(3 * BLOCK + 1)
        stored = encoding.stored(encoding.save("a.txt", ContentFile(data)))
        ends = sorted(
            {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK, len(data) - 1, len(data)}
        )
        for start in ends:
            for stop in ends:
                if start <= stop:
                    with closing(encoding.read_range(stored, start, stop)) as pieces:
                        assert b"".join(pieces) == data[start:stop], (start, stop)
        for start, stop in [(-1, 5), (0, len(data) + 1), (6, 5)]:
            with pytest.raises(ValueError, match="lies within 0 and"):
                list(encoding.read_range(stored, start, stop))

    def test_in_any_order(self, encoding: GridFSStorage) -> None:
        data = text(5 * BLOCK)
        encoding.save("a.txt", ContentFile(data))
        chosen = random.Random(5)
        with encoding.open("a.txt") as file:
            for _ in range(20):
                start, count = chosen.randrange(len(data)), chosen.randrange(2 * BLOCK)
                file.seek(start)
                assert file.read(count) == data[start : start + count]
            assert b"".join(file.chunks()) == data

    def test_is_read_once_from_the_beginning_to_the_end(
        self, encoding: GridFSStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A compressed file has to be decoded from its beginning, but not for each window."""
        size = 6_000_000
        encoding.save("a.txt", ContentFile(os.urandom(size)))
        sent: list[int] = []
        read = Bucket.read

        def counting(self: Bucket, *args: Any) -> Iterator[bytes]:
            for piece in read(self, *args):
                sent.append(len(piece))
                yield piece

        monkeypatch.setattr(Bucket, "read", counting)
        with encoding.open("a.txt") as file:
            assert sum(map(len, file.chunks())) == size
        assert sum(sent) < 1.2 * size

    async def test_for_coroutines(self, encoding: GridFSStorage) -> None:
        from asgiref.sync import sync_to_async

        data = text(5 * BLOCK + 1)
        await sync_to_async(encoding.save)("a.txt", ContentFile(data))
        async with await encoding.aopen("a.txt") as file:
            assert file.size == len(data)
            assert await file.read(10) == data[:10]
            assert await file.read(BLOCK) == data[10 : BLOCK + 10]
            file.seek(-5, 2)
            assert await file.read() == data[-5:]
            file.seek(3)
            assert await file.read(3) == data[3:6]
            assert b"".join([piece async for piece in file]) == data
        stored = await encoding.astored("a.txt")
        pieces = [piece async for piece in encoding.aread_range(stored, BLOCK, BLOCK + 5)]
        assert b"".join(pieces) == data[BLOCK : BLOCK + 5]
        await connections["default"].aclose()


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pieces=st.lists(st.binary(max_size=40), max_size=8),
    chain=st.sampled_from(sorted(CHAINS)),
    ends=st.tuples(st.integers(0, 320), st.integers(0, 320)),
)
def test_any_content(
    connected: Database[Any], pieces: list[bytes], chain: str, ends: tuple[int, int]
) -> None:
    storage = GridFSStorage(chunk_size=11, allow_overwrite=True, **CHAINS[chain])
    data = b"".join(pieces)
    storage.save("any", pieces)
    stored = storage.stored("any")
    start, stop = sorted(min(end, len(data)) for end in ends)
    assert b"".join(storage.read_range(stored, start, stop)) == data[start:stop]
    assert content(storage, "any") == data


class TestCompression:
    def test_is_what_its_name_says(self, connected: Database[Any]) -> None:
        """Any GridFS tool and gunzip can read it."""
        for compression, decompress in [
            ("gzip", gzip.decompress),
            ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
        ]:
            storage = GridFSStorage(compression=compression, bucket=compression)
            storage.save("a.txt", ContentFile(text(100_000)))
            stored = storage.stored("a.txt")
            assert stored.length < 20_000
            assert decompress(storage.bucket.read_bytes(stored)) == text(100_000)
            assert stored.metadata["codecs"] == [{"name": compression}]
            assert stored.metadata["size"] == 100_000

    @pytest.mark.parametrize("compression", ["gzip", "zstd"])
    def test_damage(self, connected: Database[Any], compression: str) -> None:
        storage = GridFSStorage(compression=compression)
        storage.save("a.txt", ContentFile(text(20_000)))
        whole = connected.fs.chunks.find_one()["data"]
        for damaged in [
            whole[:-1] + bytes([whole[-1] ^ 1]),
            whole[: len(whole) // 2]
            + bytes([whole[len(whole) // 2] ^ 255])
            + whole[len(whole) // 2 + 1 :],
            b"\0" + whole[1:],
            whole[:-4] + bytes(4),
        ]:
            connected.fs.chunks.update_one({}, {"$set": {"data": damaged}})
            with pytest.raises(CorruptFile):
                content(storage, "a.txt")

    @pytest.mark.parametrize("compression", ["gzip", "zstd"])
    def test_it_ends_too_early(self, connected: Database[Any], compression: str) -> None:
        storage = GridFSStorage(compression=compression)
        storage.save("a.txt", ContentFile(text(20_000)))
        for cut in (1, 5, 100):
            document = connected.fs.chunks.find_one() or {}
            connected.fs.chunks.update_one({}, {"$set": {"data": document["data"][:-cut]}})
            connected.fs.files.update_one({}, {"$inc": {"length": -cut}})
            with pytest.raises(CorruptFile, match=r"end too early|too short"):
                content(storage, "a.txt")

    @pytest.mark.parametrize("compression", ["gzip", "zstd"])
    def test_a_wrong_size(self, connected: Database[Any], compression: str) -> None:
        storage = GridFSStorage(compression=compression)
        storage.save("a.txt", ContentFile(text(20_000)))
        for size in (19_999, 20_001, 0, 10):
            connected.fs.files.update_one({}, {"$set": {"metadata.size": size}})
            with pytest.raises(CorruptFile, match=r"too short|longer than it was"):
                list(storage.read_range(storage.stored("a.txt"), 0, size))

    def test_a_bomb_comes_in_small_pieces(self, connected: Database[Any]) -> None:
        size = 100 * 1024 * 1024
        for compression in ("gzip", "zstd"):
            storage = GridFSStorage(compression=compression, allow_overwrite=True)
            storage.save("a.txt", (bytes(1024 * 1024) for _ in range(100)))
            stored = storage.stored("a.txt")
            assert stored.length < 200_000
            sizes = [len(piece) for piece in storage.read_range(stored, 0, size)]
            assert sum(sizes) == size
            assert max(sizes) <= 33 * 1024 * 1024

    def test_without_its_package(
        self, connected: Database[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "zstandard", None)
        with pytest.raises(ImproperlyConfigured, match=r"pip install 'djongo-services\[zstd\]'"):
            GridFSStorage(compression="zstd").save("a.txt", ContentFile(b"content"))


class TestEncryption:
    def test_nothing_of_it_can_be_seen(
        self, encrypting: GridFSStorage, connected: Database[Any]
    ) -> None:
        secret = b"the secret content"
        names = [encrypting.save("a.txt", ContentFile(secret)) for _ in range(2)]
        raws = [encrypting.bucket.read_bytes(encrypting.stored(name)) for name in names]
        assert all(secret not in raw for raw in raws)
        assert raws[0] != raws[1]
        assert all(len(raw) == len(secret) + TAG for raw in raws)
        record = encrypting.stored(names[0]).metadata["codecs"][0]
        assert (record["name"], record["key"], record["block"]) == ("aes-gcm", "2026", BLOCK)
        for document in connected.fs.files.find():
            assert KEYS["2026"] not in str(document)

    def test_a_range_reads_its_blocks_only(
        self, encrypting: GridFSStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = text(50 * BLOCK)
        stored = encrypting.stored(encrypting.save("a.txt", ContentFile(data)))
        asked: list[tuple[int, int]] = []
        read = Bucket.read
        monkeypatch.setattr(
            Bucket,
            "read",
            lambda self, file, start, stop: (
                asked.append((start, stop)) or read(self, file, start, stop)
            ),
        )
        start = 30 * BLOCK + 5
        assert (
            b"".join(encrypting.read_range(stored, start, start + 10)) == data[start : start + 10]
        )
        assert asked == [(30 * (BLOCK + TAG), 31 * (BLOCK + TAG))]

    def rewrite(self, database: Database[Any], data: bytes) -> None:
        """Change the stored bytes as anyone with access to the database could."""
        document = database.fs.files.find_one() or {}
        database.fs.chunks.delete_many({})
        database.fs.files.update_one({}, {"$set": {"length": len(data)}})
        size = document["chunkSize"]
        if data:
            database.fs.chunks.insert_many(
                [
                    {"files_id": document["_id"], "n": n, "data": data[at : at + size]}
                    for n, at in enumerate(range(0, len(data), size))
                ]
            )

    @pytest.mark.parametrize(
        "how", ["flipped", "swapped", "cut", "cut in a block", "repeated", "emptied", "extended"]
    )
    def test_tampering(self, encrypting: GridFSStorage, connected: Database[Any], how: str) -> None:
        data = text(4 * BLOCK)
        encrypting.save("a.txt", ContentFile(data))
        whole = encrypting.bucket.read_bytes(encrypting.stored("a.txt"))
        step = BLOCK + TAG
        blocks = [whole[at : at + step] for at in range(0, len(whole), step)]
        assert len(blocks) == 4
        changed = {
            "flipped": whole[:step] + bytes([whole[step] ^ 1]) + whole[step + 1 :],
            "swapped": b"".join([blocks[1], blocks[0], *blocks[2:]]),
            "cut": b"".join(blocks[:3]),
            "cut in a block": whole[:-5],
            "repeated": b"".join([*blocks, blocks[3]]),
            "emptied": b"",
            "extended": whole + b"x",
        }[how]
        self.rewrite(connected, changed)
        with pytest.raises(CorruptFile):
            content(encrypting, "a.txt")
        # Also when the size was made to fit.
        size = {"cut": 3 * BLOCK, "cut in a block": 4 * BLOCK - 5, "repeated": 5 * BLOCK}.get(how)
        if size is not None:
            connected.fs.files.update_one({}, {"$set": {"metadata.size": size}})
            with pytest.raises(CorruptFile, match="was changed, or was cut off"):
                content(encrypting, "a.txt")

    def test_a_block_of_another_file(
        self, encrypting: GridFSStorage, connected: Database[Any]
    ) -> None:
        for name in ("a.txt", "b.txt"):
            encrypting.save(name, ContentFile(text(100)))
        a, b = (encrypting.stored(name).id for name in ("a.txt", "b.txt"))
        theirs = connected.fs.chunks.find_one({"files_id": b}) or {}
        connected.fs.chunks.update_one({"files_id": a}, {"$set": {"data": theirs["data"]}})
        with pytest.raises(CorruptFile):
            content(encrypting, "a.txt")

    def test_another_file_in_its_place(
        self, encrypting: GridFSStorage, connected: Database[Any]
    ) -> None:
        """With the record that belongs to the bytes, and without the mark that binds them to the
        file."""
        for name in ("a.txt", "b.txt"):
            encrypting.save(name, ContentFile(name.encode() * 20))
        a, b = (encrypting.stored(name).id for name in ("a.txt", "b.txt"))
        files, chunks = connected.fs.files, connected.fs.chunks
        theirs = files.find_one({"_id": b}) or {}
        data = (chunks.find_one({"files_id": b}) or {})["data"]
        chunks.update_one({"files_id": a}, {"$set": {"data": data}})
        files.update_one({"_id": a}, {"$set": {"metadata": theirs["metadata"]}})
        assert content(encrypting, "b.txt") == b"b.txt" * 20
        with pytest.raises(CorruptFile):
            content(encrypting, "a.txt")
        files.update_one({"_id": a}, {"$unset": {"metadata.codecs.0.bound": 1}})
        with pytest.raises(CorruptFile):
            content(encrypting, "a.txt")

    @pytest.mark.parametrize("files_id", [ObjectId(), 5, Int64(2**40), "text", {"a": [1, None]}])
    def test_an_id_of_any_type(
        self, encrypting: GridFSStorage, connected: Database[Any], files_id: Any
    ) -> None:
        chain = Chain(["aes-gcm"], files_id)
        data = b"".join([*chain.encode(b"content"), *chain.finish()])
        encrypting.bucket.upload("a.txt", data, id=files_id, metadata=chain.metadata)
        assert content(encrypting, "a.txt") == b"content"

    def test_many_at_once(self, encrypting: GridFSStorage) -> None:
        encrypting.save_many([("a.txt", b"a"), ("b.txt", b"b")])
        assert [content(encrypting, name) for name in ("a.txt", "b.txt")] == [b"a", b"b"]
        assert encrypting.stored("a.txt").metadata["codecs"][0]["bound"] is True

    def test_a_file_of_before_it_was_bound(
        self, encrypting: GridFSStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new_record = AesGcm.new_record
        with monkeypatch.context() as patched:
            patched.setattr(
                AesGcm,
                "new_record",
                lambda self: {k: v for k, v in new_record(self).items() if k != "bound"},
            )
            encrypting.save("a.txt", ContentFile(b"old"))
        assert "bound" not in encrypting.stored("a.txt").metadata["codecs"][0]
        assert content(encrypting, "a.txt") == b"old"

    @pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=str)
    async def test_a_plain_file_in_its_place(
        self, encrypting: GridFSStorage, options: dict[str, Any]
    ) -> None:
        plain = GridFSStorage(**options)
        plain.save("a.txt", ContentFile(b"plain"))
        assert encrypting.exists("a.txt")
        assert encrypting.size("a.txt") == 5
        with pytest.raises(NotEncrypted, match="is not encrypted, but its storage encrypts"):
            content(encrypting, "a.txt")
        with pytest.raises(NotEncrypted):
            encrypting.open("a.txt", "ab")
        async with await encrypting.aopen("a.txt") as file:
            with pytest.raises(NotEncrypted):
                await file.read()
        await connections["default"].aclose()
        older = GridFSStorage(encryption=True, allow_plain=True)
        assert content(older, "a.txt") == b"plain"
        with older.open("a.txt", "ab") as changed:
            changed.write(b"!")
        assert content(encrypting, "a.txt") == b"plain!"
        encrypting.delete("a.txt")
        with pytest.raises(ImproperlyConfigured, match="allow_plain needs encryption"):
            GridFSStorage(allow_plain=True)

    def test_rotation(self, encrypting: GridFSStorage, settings: Any) -> None:
        encrypting.save("old.txt", ContentFile(b"old"))
        newer = {"2027": base64.b64encode(os.urandom(32)).decode()}
        with_keys(settings, {**newer, **KEYS})
        encrypting.save("new.txt", ContentFile(b"new"))
        assert (content(encrypting, "old.txt"), content(encrypting, "new.txt")) == (b"old", b"new")
        assert encrypting.stored("new.txt").metadata["codecs"][0]["key"] == "2027"
        with_keys(settings, newer)
        assert content(encrypting, "new.txt") == b"new"
        with pytest.raises(UnknownKey, match="encrypted with the key '2026', which is not in"):
            content(encrypting, "old.txt")
        with pytest.raises(UnknownKey):
            encrypting.read_range(encrypting.stored("old.txt"), 0, 1)

    def test_another_key_of_the_same_name(self, encrypting: GridFSStorage, settings: Any) -> None:
        encrypting.save("a.txt", ContentFile(b"content"))
        with_keys(settings, {"2026": base64.b64encode(bytes(32)).decode()})
        with pytest.raises(CorruptFile):
            content(encrypting, "a.txt")

    def test_keys_that_are_none(self, encrypting: GridFSStorage, settings: Any) -> None:
        for key in ("short", base64.b64encode(bytes(16)).decode(), "!" * 44, ""):
            with_keys(settings, {"mine": key})
            with pytest.raises(
                ImproperlyConfigured, match=r"\['mine'\] must be 32 bytes in Base64"
            ) as caught:
                encrypting.save("a.txt", ContentFile(b"content"))
            assert not key or key not in str(caught.value)
        with_keys(settings, {})
        with pytest.raises(ImproperlyConfigured, match="Encrypted files need DJONGO_SERVICES"):
            encrypting.save("a.txt", ContentFile(b"content"))

    def test_without_its_package(
        self, encrypting: GridFSStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
        with pytest.raises(ImproperlyConfigured, match=r"'djongo-services\[encryption\]'"):
            encrypting.save("a.txt", ContentFile(b"content"))


class TestStrangeRecords:
    def test_are_damage(self, encrypting: GridFSStorage, connected: Database[Any]) -> None:
        encrypting.save("a.txt", ContentFile(b"content"))
        whole = {"name": "aes-gcm", "key": "2026", "salt": b"s" * 16, "block": BLOCK}
        records: list[Any] = [
            "gzip",
            ["gzip"],
            [5],
            {"name": "gzip"},
            [{"name": "aes-gcm", "key": "2026"}],
            [{**whole, "block": 0}],
            [{**whole, "block": -5}],
            [{**whole, "block": 2**60}],
            [{**whole, "block": "big"}],
            [{**whole, "salt": 5}],
        ]
        for codecs in records:
            connected.fs.files.update_one({}, {"$set": {"metadata.codecs": codecs}})
            with pytest.raises(CorruptFile, match=r"'a.txt' .* is damaged: its codecs are"):
                content(encrypting, "a.txt")

    def test_numbers_as_shells_write_them(
        self, encrypting: GridFSStorage, connected: Database[Any]
    ) -> None:
        encrypting.save("a.txt", ContentFile(b"content"))
        changed = {"metadata.codecs.0.block": float(BLOCK)}
        connected.fs.files.update_one({}, {"$set": changed})
        assert content(encrypting, "a.txt") == b"content"

    def test_unknown_ones(self, encrypting: GridFSStorage, connected: Database[Any]) -> None:
        encrypting.save("a.txt", ContentFile(b"content"))
        for name in ("lz4", None, {"$gt": ""}):
            connected.fs.files.update_one({}, {"$set": {"metadata.codecs.0.name": name}})
            with pytest.raises(
                StorageError, match=r"There is no codec .*; known are aes-gcm, gzip"
            ):
                content(encrypting, "a.txt")

    def test_sizes(self, encrypting: GridFSStorage, connected: Database[Any]) -> None:
        encrypting.save("a.txt", ContentFile(b"content"))
        for size in ("7", None, -1, True, 1.5):
            connected.fs.files.update_one({}, {"$set": {"metadata.size": size}})
            with pytest.raises(CorruptFile, match="is damaged: its plain size is"):
                encrypting.size("a.txt")


class Rot13(Codec):
    """A project's own."""

    name: ClassVar[str] = "rot13"

    def new_record(self) -> dict[str, Any]:
        return {"by": 13}

    def encoder(self, record: Mapping[str, Any]) -> Stage:
        return _Turn(record["by"])

    def decoder(self, record: Mapping[str, Any]) -> Stage:
        return _Turn(-record["by"])


class _Turn(Stage):
    def __init__(self, by: int) -> None:
        self._table = bytes((number + by) % 256 for number in range(256))

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data.translate(self._table)

    def finish(self) -> Iterator[bytes]:
        yield from ()


def test_a_codec_of_ones_own(connected: Database[Any]) -> None:
    register_codec("rot13", Rot13)
    storage = GridFSStorage(compression="rot13", encryption=True)
    storage.save("a.txt", ContentFile(text(100_000)))
    assert content(storage, "a.txt") == text(100_000)
    assert [each["name"] for each in storage.stored("a.txt").metadata["codecs"]] == [
        "rot13",
        "aes-gcm",
    ]


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys; import djongo_services.storage, djongo_services.storage.codecs;"
        "needed = ('cryptography.hazmat.primitives.ciphers.aead', 'zstandard', 'puremagic');"
        "print([name for name in needed if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
