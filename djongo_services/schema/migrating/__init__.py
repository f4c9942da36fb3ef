"""The schema beside Django's migrations.

``migrate`` changes models, documents and indexes; the validators of the collections follow.
Validators of collections that change are relaxed before (:mod:`.changing` finds them), and restored
afterwards (:mod:`.settling`); :mod:`.running` keeps the state between the two signals.
:mod:`.waiting` finds unapplied migrations, and :mod:`.drift` is the system check.
"""
