"""An app whose pictures are in the bucket ``media`` of the connection ``archive``."""
