"""Line breaks in long names."""

from __future__ import annotations

import re

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.filter
def breakable(name: str) -> SafeString:
    """``archive_note.author`` may be broken after the underscore and after the dot."""
    # Escaped characters contain neither of them.
    return mark_safe(re.sub(r"(?<=[._])(?=.)", "<wbr>", conditional_escape(name)))  # noqa: S308
