"""``{% translate "..." %}`` for the pages of reports.

Django's own tag needs settings. These pages are also made where Django is not set up, and are then
in English; ``makemessages`` finds the sentences all the same, by the name of the tag.
"""

from __future__ import annotations

from django.template import Library

from djongo_services.translation import gettext

register = Library()
register.simple_tag(gettext, name="translate")
