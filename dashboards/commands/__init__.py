"""The commands, a file a group: each says what it takes and does its work, loading what is heavy only then."""
