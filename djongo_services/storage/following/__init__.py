"""Files that follow rows in SQL: the transaction of the row decides about them.

Such a file is written outside of any transaction of MongoDB, because that would end before the
row's:

==========================  ======================================================================
state                       what the bucket contains
==========================  ======================================================================
saved, not committed        the file, with ``metadata.provisional``: the alias that it waits for
committed                   the file without that mark
rolled back                 nothing: it was removed, also if a savepoint was rolled back
deleted, not committed      the file, unchanged; only its own transaction misses it
delete committed            nothing: it was removed right after the commit
==========================  ======================================================================

A provisional file can be read by every client, because its row may be committed already; but if a
file with the same name existed before, other clients read that one until the commit. So nothing is
lost when a process dies: before the commit it leaves a provisional file, which is unreferenced, or
superseded by the file that it did not replace; after the commit it leaves a provisional file that
is referred to and is read like any other, or files that nothing refers to any more. The collector
cleans up all of them.
"""
