"""Django models for an inspected database."""

from __future__ import annotations

from collections.abc import Mapping

from djongo_services.introspection.modelling.module import Style, build_module
from djongo_services.introspection.modelling.source import render_source
from djongo_services.introspection.modelling.stated import DeclaredCollection
from djongo_services.introspection.report import Report

__all__ = ["DeclaredCollection", "Style", "render_models"]


def render_models(
    report: Report,
    *,
    style: Style,
    declared: Mapping[str, DeclaredCollection] | None = None,
    generator: str = "inspectmongo",
) -> str:
    """A Python module with a model for each collection, as text.

    With the style ``backend`` the models are django-mongodb-backend's, and a document that is
    loaded and saved through them keeps its BSON, with the exceptions that the module's docstring
    lists; at the depth ``sample`` this applies to the documents of the sample. With ``plain`` they
    are unmanaged models with Django's own fields. The same report produces the same text.

    ``declared``: by name, the collections about which more is known than documents show.
    ``generator``: the origin that the module names.
    """
    module = build_module(report, style=style, declared=declared or {}, generator=generator)
    return render_source(module)
