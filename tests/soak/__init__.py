"""A mixed load on a replica set whose members are killed, stopped and stepped down.

``python -m tests.soak --minutes 10``, which ``make soak`` calls: programs of a project on the
engine save and read files, transfer money, migrate, sync, collect, inspect and visit the admin,
each in a process of its own. They report each operation; what they were told is compared with what
the database holds at the end.
"""
