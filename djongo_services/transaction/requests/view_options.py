"""``@atomic_view`` and ``@non_atomic``: the options of a view, as its decorators set them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from djongo_services.transaction.options import Options
from djongo_services.transaction.requests.settings import RollbackOn, SafeMethods

ATTRIBUTE = "_djongo_services_marks"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewOptions:
    """One decorator of a view; ``eq=False``: each is unique."""

    atomic: bool
    using: tuple[str, ...] | None
    """Aliases; None: every connection that requests use."""
    options: Options | None = None
    attempts: int | None = None
    rendering: bool | None = None
    rollback_on: RollbackOn | None = None
    safe_methods: SafeMethods = "transaction"

    def covers(self, alias: str) -> bool:
        return self.using is None or alias in self.using

    @property
    def decorator(self) -> str:
        return "@atomic_view" if self.atomic else "@non_atomic"


def options_of(view: Any, method: str) -> tuple[ViewOptions, ...]:
    """The options of the view, the nearest first: on its method for ``method``, then on itself."""
    return (*_own(_handler(view, method)), *_own(view))


def attach_options(
    function: Callable[..., Any], mark: ViewOptions, *, inherited: Any = None
) -> None:
    """Raises TypeError if the view has contradictory options for one connection."""
    others = _own(function if inherited is None else inherited)
    for other in others:
        if _overlap(mark, other):
            name = getattr(function, "__qualname__", repr(function))
            raise TypeError(
                f"{name} has both {mark.decorator} and {other.decorator} for the same connection; "
                f"leave one of them."
            )
    setattr(function, ATTRIBUTE, (mark, *others))


def _own(view: Any) -> tuple[ViewOptions, ...]:
    marks: tuple[ViewOptions, ...] = getattr(view, ATTRIBUTE, ())
    return marks


def _overlap(one: ViewOptions, other: ViewOptions) -> bool:
    if one.using is None or other.using is None:
        return one.using is other.using
    return bool({*one.using} & {*other.using})


def _handler(view: Any, method: str) -> Any:
    """The method of a class-based view, or the action of a viewset, that handles ``method``."""
    for view_class in _classes(view):
        name = (getattr(view, "actions", None) or {}).get(method.lower(), method.lower())
        if name == "head" and not hasattr(view_class, "head"):
            name = "get"
        return getattr(view_class, name, None)
    return None


def _classes(view: Any) -> Iterator[type[Any]]:
    for name in ("view_class", "cls"):
        found = getattr(view, name, None)
        if isinstance(found, type):
            yield found
