"""Django models for what inspection found."""

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

    With style ``backend`` the models are django-mongodb-backend's, and a document loaded and
    saved through them keeps its BSON but for what the module's docstring names; at depth
    ``sample`` that holds for the documents of the sample. With ``plain`` they are unmanaged models
    of Django's own fields. The same report gives the same text.

    ``declared``: by name, the collections of which more is known than documents tell.
    ``generator``: what the module names as its origin.
    """
    module = build_module(report, style=style, declared=declared or {}, generator=generator)
    return render_source(module)
