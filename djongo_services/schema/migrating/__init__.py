"""The schema beside Django's migrations.

``migrate`` changes models, documents and indexes; the validators of the collections follow. Those
whose collection changes are relaxed before (:mod:`.changing` finds them), and put right afterwards
(:mod:`.settling`); :mod:`.running` keeps account between the two signals. :mod:`.waiting` names
migrations that are not applied yet, and :mod:`.drift` is the system check.
"""
