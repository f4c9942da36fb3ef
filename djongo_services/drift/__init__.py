"""What changed in the shape of data: a comparison of two reports, or of a report and the models.

:func:`~djongo_services.drift.comparing.compare` takes two reports of
:mod:`djongo_services.introspection`, and :func:`~djongo_services.drift.models.compare_with_models`
one report and the models' specs; both return a
:class:`~djongo_services.drift.comparison.Comparison`, which the formats of
:mod:`djongo_services.drift.formats` show.
"""
