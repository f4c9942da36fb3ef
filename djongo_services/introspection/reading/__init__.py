"""Reads the catalog of a database: few round trips, made concurrently.

============== ==================================== =============================================
What           From                                 Round trips
============== ==================================== =============================================
collections    ``listCollections``                  1
indexes        ``listIndexes``                      1 for each collection
statistics     ``$collStats``                       1 for each 50 collections
usage          ``$indexStats``                      1 for each 50 collections, from every member
multikey       ``$listCatalog`` (6.0+), ``explain`` 1 for each 50 collections, or for each index
build progress ``$currentOp``                       1, when an index is being built
============== ==================================== =============================================
"""

from __future__ import annotations

from djongo_services.introspection.reading.reader import read_catalog

__all__ = ["read_catalog"]
