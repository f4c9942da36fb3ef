"""Profiles that are taken in the background and stored beside the data.

The process that receives the request takes the profile in a thread of its own; its progress,
requests to stop and the result are stored in the collection ``djongo_services_profiles``, so that
any process can show and end it.
"""
