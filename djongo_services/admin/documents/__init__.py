"""Pages that show the documents of a collection; nothing here writes.

:mod:`.keys` names a document in URLs, :mod:`.paging` reads a page of them, :mod:`.conditions` makes
queries out of what a person chose, :mod:`.tree` makes them readable.
"""
