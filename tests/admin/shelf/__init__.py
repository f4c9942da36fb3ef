"""An app whose documents the ORM keeps in MongoDB, with admin pages made for that."""
