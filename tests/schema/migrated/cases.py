"""Apps whose second migration changes a collection that has documents, in one way each."""

from __future__ import annotations

from tests.schema.migrated.building import Case
from tests.schema.migrated.field_cases import FIELDS
from tests.schema.migrated.model_cases import MODELS

CASES: dict[str, Case] = {**FIELDS, **MODELS}
