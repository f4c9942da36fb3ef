"""What is raised where MongoDB has no words for what a model says."""

from __future__ import annotations

from djongo_services.exceptions import DjongoServicesError


class NotExpressible(DjongoServicesError):
    """MongoDB cannot be told this; the message is a clause that says what, without a full stop."""
