"""Functions of a project that know of references which no field holds.

``STORAGE["REFERENCES"]`` names them by dotted paths. Each gets a batch of filenames, as the bucket
has them, and returns those that are in use: names in JSON, in rich text, in plain collections. A
function with an attribute ``buckets`` answers for all files of those buckets: what neither it nor
a field refers to is in no use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from djongo_services.storage.collector.references.columns import first_line
from djongo_services.storage.collector.references.sources import Unreadable

Provider = Callable[[Sequence[str]], Iterable[str]]

WHERE = 'DJONGO_SERVICES["STORAGE"]["REFERENCES"]'


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderSource:
    path: str
    provider: Provider

    @classmethod
    def load(cls, path: str) -> ProviderSource:
        """Raises ImproperlyConfigured when there is no such function."""
        try:
            provider: Any = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(
                f"{WHERE} names {path!r}, which cannot be imported: {error}"
            ) from error
        if not callable(provider):
            raise ImproperlyConfigured(f"{WHERE} names {path!r}, which is no function.")
        return cls(path=path, provider=provider)

    @property
    def label(self) -> str:
        return self.path

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets whose files it knows all references to, with the fields."""
        return tuple(getattr(self.provider, "buckets", ()))

    def probe(self) -> None:
        self.referenced([])

    def referenced(self, names: Sequence[str]) -> set[str]:
        try:
            answer = self.provider(names)
            if isinstance(answer, str) or not isinstance(answer, Iterable):
                raise Unreadable(f"it returned {type(answer).__name__}, not a set of names")
            return set(names).intersection(answer)
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable(f"{type(error).__name__}: {first_line(error)}") from error
