"""Replacing methods of other packages' classes, and functions of modules, once, even if other tools
wrap them too.

A replaced method is recognised by a mark of our own: ``__wrapped__`` only means that
``functools.wraps`` was used. The mark is searched for along the chain of wrappers, because a tool
that is loaded later wraps our method. ``docs/beside-others.md`` lists every method.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

Method = Callable[..., Any]

_MARK = "_djongo_services_patch"


def patch(
    owner: type[Any] | ModuleType,
    name: str,
    make: Callable[[Method], Method],
    *,
    again: bool = False,
) -> Method:
    """Replace ``owner.name`` by ``make(original)`` unless that was done, and return the method in
    force.

    :param again: replace it although there is a mark, if the caller knows that the mark is wrong.

    Raises AttributeError if the class has no such method.
    """
    in_force: Method = getattr(owner, name)
    if is_patched(in_force) and not again:
        return in_force
    is_class_method = isinstance(inspect.getattr_static(owner, name), classmethod)
    original = in_force.__func__ if is_class_method else in_force  # type: ignore[attr-defined]
    replacement = wraps(original)(make(original))
    setattr(replacement, _MARK, True)
    setattr(owner, name, classmethod(replacement) if is_class_method else replacement)
    return replacement


def is_patched(method: Any) -> bool:
    """Whether a call of ``method`` reaches one of ours, as far as its wrappers show."""
    seen: set[int] = set()
    while method is not None and id(method) not in seen:
        if getattr(method, _MARK, None) is True:
            return True
        seen.add(id(method))
        method = getattr(method, "__wrapped__", None)
    return False
