"""The commands, one file per group. Each registers its arguments, and imports what is slow only when it runs."""
