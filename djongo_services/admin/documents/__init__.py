"""Pages that show the documents of a collection; they never write.

:mod:`.keys` identifies a document in URLs, :mod:`.paging` reads a page of them, :mod:`.conditions`
creates queries from a user's choices, :mod:`.tree` makes them readable.
"""
