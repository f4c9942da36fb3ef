"""Files that follow rows in SQL: what becomes of them is decided with the transaction of the row.

Such a file is written outside of any transaction of MongoDB, which would end without the row's:

==========================  ======================================================================
state                       what there is in the bucket
==========================  ======================================================================
saved, not committed        the file, with ``metadata.provisional``: the alias that it waits for
committed                   the file without that mark
rolled back                 nothing: the file was removed, also after that of a savepoint
deleted, not committed      the file, unchanged; it is missing only to who deleted it
delete committed            nothing: it was removed right after the commit
==========================  ======================================================================

A provisional file can be read by everybody, because its row may be committed already; only where a
file of the same name was there before, others read that one until the commit. So nothing that a
process which dies leaves behind loses anything: before the commit it leaves a provisional file,
which is unreferenced, or superseded by the file that it did not replace; after the commit it
leaves a provisional file that is referred to, and is read as any other, or files that nothing
refers to any more. The collector ends all of them.
"""
