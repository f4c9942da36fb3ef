"""What changed in the shape of data: two reports, or a report and the models, held side by side.

:func:`~djongo_services.drift.comparing.compare` takes two reports of
:mod:`djongo_services.introspection`, and :func:`~djongo_services.drift.models.compare_with_models`
one report and what models want; both give a :class:`~djongo_services.drift.comparison.Comparison`,
which the formats of :mod:`djongo_services.drift.formats` show.
"""
