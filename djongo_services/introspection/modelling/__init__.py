"""Django models for what inspection found."""

from __future__ import annotations

from djongo_services.introspection.modelling.module import Style, build_module
from djongo_services.introspection.modelling.source import render_source
from djongo_services.introspection.report import Report

__all__ = ["Style", "render_models"]


def render_models(report: Report, *, style: Style) -> str:
    """A Python module with a model for each collection, as text.

    With style ``backend`` the models are django-mongodb-backend's, and a document loaded and
    saved through them keeps its BSON but for what the module's docstring names; at depth
    ``sample`` that holds for the documents of the sample. With ``plain`` they are unmanaged models
    of Django's own fields. The same report gives the same text.
    """
    return render_source(build_module(report, style=style))
