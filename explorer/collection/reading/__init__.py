"""Read what people have: texts of any encoding, tables of any dialect, names that nearly match."""
