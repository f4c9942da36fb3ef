"""Profiles that are taken in the background and kept beside the data.

A process that is asked takes the profile in a thread of its own; where it is, that it shall stop
and what came of it stand in the collection ``djongo_services_profiles``, so that any process can
show and end it.
"""
